/** MCP over Streamable HTTP, guarded, with capped bodies and without waiting for answers that cannot come. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type AuthProvider,
  isJSONRPCRequest,
  type OAuthClientProvider,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { type Guard, guardedFetch } from './egress.ts'
import { lostAnswer } from './lost.ts'

/** How long ending a session may take, in milliseconds. */
const GOODBYE_MS = 1_000

export type HttpAuth = AuthProvider | OAuthClientProvider

/**
 * A transport to `url`. Redirects are followed within its origin only, so headers with secrets stay there.
 *
 * @param options.maxBytes largest body, or largest single event of a stream, that is read
 */
export function httpTransport(
  guard: Guard,
  options: { headers: Record<string, string>; maxBytes: number; authProvider?: HttpAuth | undefined },
): StreamableHTTPClientTransport {
  const sending = new AsyncLocalStorage<{ oversized: boolean }>()
  const onOversized = () => {
    const request = sending.getStore()
    if (request) request.oversized = true
  }
  const transport = new StreamableHTTPClientTransport(guard.url, {
    requestInit: { headers: options.headers },
    fetch: guardedFetch(guard, { maxBytes: options.maxBytes, onOversized }),
    ...(options.authProvider && { authProvider: options.authProvider }),
  })

  const send = transport.send.bind(transport)
  transport.send = (message, more) => {
    if (!isJSONRPCRequest(message) || typeof message.id !== 'number') return send(message, more)
    const { id } = message
    const request = { oversized: false }
    const onRequestStreamEnd = () => {
      more?.onRequestStreamEnd?.()
      transport.onmessage?.(lostAnswer(id, request.oversized ? 'oversized' : 'dropped'))
    }
    return sending.run(request, () => send(message, { ...more, onRequestStreamEnd }))
  }

  const close = transport.close.bind(transport)
  transport.close = async () => {
    const said = transport.terminateSession().catch(() => {})
    await Promise.race([said, sleep(GOODBYE_MS, undefined, { ref: false })])
    await close()
  }
  return transport
}
