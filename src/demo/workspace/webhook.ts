/** HTTP mode: envelopes are signed requests to one address of the app. */
import { createHmac, randomUUID } from 'node:crypto'
import type { Handed, Parcel, Transport } from './outbox.ts'

/** @param url where events, interactions and commands are posted */
export function openWebhookTransport(url: string, signingSecret: string): Transport {
  const closing = new AbortController()
  let verified: Promise<boolean> | undefined

  async function call(body: string, type: string, ackMs: number, extra: Record<string, string> = {}) {
    const stamp = String(Math.floor(Date.now() / 1000))
    const signature = createHmac('sha256', signingSecret).update(`v0:${stamp}:${body}`).digest('hex')
    return fetch(url, {
      method: 'POST',
      body,
      redirect: 'error',
      headers: {
        'content-type': type,
        'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
        'x-slack-request-timestamp': stamp,
        'x-slack-signature': `v0=${signature}`,
        ...extra,
      },
      signal: AbortSignal.any([AbortSignal.timeout(ackMs), closing.signal]),
    })
  }

  async function verify(ackMs: number): Promise<boolean> {
    const challenge = randomUUID()
    const body = JSON.stringify({ type: 'url_verification', token: 'local', challenge })
    try {
      const response = await call(body, 'application/json', ackMs)
      const text = await response.text()
      return response.ok && (text.trim() === challenge || text.includes(`"${challenge}"`))
    } catch {
      return false
    }
  }

  async function hand(parcel: Parcel, ackMs: number): Promise<Handed> {
    if (closing.signal.aborted) return { outcome: 'closed' }
    verified ??= verify(ackMs)
    if (!(await verified)) {
      verified = undefined
      if (closing.signal.aborted) return { outcome: 'closed' }
      return { outcome: 'refused', reason: 'connection_failed' }
    }
    const [type, body] = encode(parcel)
    const retry: Record<string, string> =
      parcel.attempt === 0
        ? {}
        : { 'x-slack-retry-num': String(parcel.attempt), 'x-slack-retry-reason': httpReason(parcel.reason) }
    try {
      const response = await call(body, type, ackMs, retry)
      const text = await response.text()
      if (response.ok) return { outcome: 'acknowledged', body: decode(text) }
      return {
        outcome: 'refused',
        reason: 'http_error',
        final: response.headers.get('x-slack-no-retry') === '1',
      }
    } catch (error) {
      if (closing.signal.aborted) return { outcome: 'closed' }
      const timedOut = error instanceof Error && error.name === 'TimeoutError'
      return { outcome: 'refused', reason: timedOut ? 'http_timeout' : 'connection_failed' }
    }
  }

  return { hand, close: () => closing.abort() }
}

function httpReason(reason?: string): string {
  return reason === 'timeout' || reason === undefined ? 'http_timeout' : reason
}

function encode({ kind, payload }: Parcel): [type: string, body: string] {
  if (kind === 'events_api') return ['application/json', JSON.stringify(payload)]
  const form = new URLSearchParams()
  if (kind === 'interactive') form.set('payload', JSON.stringify(payload))
  else for (const [key, value] of Object.entries(payload)) form.set(key, String(value))
  return ['application/x-www-form-urlencoded', form.toString()]
}

function decode(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
