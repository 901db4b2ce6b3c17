/** MCP over Streamable HTTP, with capped bodies and without waiting for answers that cannot come. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type AuthProvider,
  isJSONRPCRequest,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { lostAnswer, OversizedError } from './lost.ts'

/** How long ending a session may take, in milliseconds. */
const GOODBYE_MS = 1_000

/**
 * A transport to `url`. Redirects are followed within its origin only, so headers with secrets stay there.
 *
 * @param options.maxBytes largest body, or largest single event of a stream, that is read
 */
export function httpTransport(options: {
  url: URL
  headers: Record<string, string>
  maxBytes: number
  /** Signs every request in; asked again, once, where the server refuses. */
  authProvider?: AuthProvider | undefined
}): StreamableHTTPClientTransport {
  const sending = new AsyncLocalStorage<{ oversized: boolean }>()
  const transport = new StreamableHTTPClientTransport(options.url, {
    requestInit: { headers: options.headers },
    ...(options.authProvider ? { authProvider: options.authProvider } : {}),
    fetch: async (url, init) => {
      const response = await fetch(url, init)
      return capped(response, options.maxBytes, () => {
        const request = sending.getStore()
        if (request) request.oversized = true
      })
    },
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

/** The same response with a body that breaks off when it, or one event of a stream, passes `max` bytes. */
function capped(response: Response, max: number, onOversized: () => void): Response {
  if (!response.body) return response
  const stream = /^text\/event-stream/i.test(response.headers.get('content-type') ?? '')
  let size = 0
  let line = 0
  const body = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (!stream) size += chunk.length
        else {
          for (const byte of chunk) {
            size++
            if (byte === 10) {
              if (line === 0) size = 0
              line = 0
            } else if (byte !== 13) line++
          }
        }
        if (size <= max) return controller.enqueue(chunk)
        onOversized()
        controller.error(new OversizedError(`the body is larger than ${max} bytes`))
      },
    }),
  )
  const { status, statusText, headers } = response
  return new Response(body, { status, statusText, headers })
}
