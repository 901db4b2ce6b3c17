/** A `fetch` for what signing in needs: bounded, and without words that a stranger chose in its errors. */
import type { FetchLike } from '@modelcontextprotocol/client'

/** How long one request may take, and what is read of its answer. */
const REQUEST_MS = 15_000
const MAX_BYTES = 1024 * 1024

/**
 * Bounded in time and size, and errors reduced to their code: libraries log what a server wrote, and a server may
 * write anything, a token included.
 */
export function quiet(fetch: FetchLike): FetchLike {
  return async (url, init) => {
    const late = AbortSignal.timeout(REQUEST_MS)
    const signal = init?.signal ? AbortSignal.any([init.signal, late]) : late
    const answer = await fetch(url, { ...init, signal })
    // A server that needs no sign-in begins a conversation instead: nothing of it is read here.
    if (/^text\/event-stream/i.test(answer.headers.get('content-type') ?? '')) return answer
    const body = await readCapped(answer)
    const { status, statusText, headers } = answer
    const kept = new Headers(headers)
    kept.delete('content-encoding')
    kept.delete('content-length')
    const said = answer.ok || answer.status < 400 ? body : codeOnly(body)
    return new Response([101, 204, 205, 304].includes(status) ? null : said, {
      status,
      statusText,
      headers: kept,
    })
  }
}

async function readCapped(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body ?? []) {
    size += chunk.length
    if (size > MAX_BYTES) throw new Error('its authorization server answered with something larger than 1 MB')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function codeOnly(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown }
    return JSON.stringify(typeof error === 'string' && /^[a-z_]{1,40}$/.test(error) ? { error } : {})
  } catch {
    return ''
  }
}
