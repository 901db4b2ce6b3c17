/** Bodies of HTTP answers, none longer than a cap. */
import { OversizedError } from './lost.ts'

/**
 * The same response with a body that breaks off when it, or one event of a stream, passes `max` bytes as they
 * are after any compression.
 */
export function capped(response: Response, max: number, onOversized: () => void): Response {
  const { status, statusText, headers } = response
  // The library that fetches has classes of its own; the ones of Node are what others ask for.
  const head = { status, statusText, headers: new Headers([...headers]) }
  if (!response.body) return new Response(null, head)
  const stream = /^text\/event-stream/i.test(headers.get('content-type') ?? '')
  const measure = stream ? eventMeter() : bodyMeter()
  const body = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (measure(chunk) <= max) return controller.enqueue(chunk)
        onOversized()
        controller.error(new OversizedError(`the body is larger than ${max} bytes`))
      },
    }),
  )
  return new Response(body, head)
}

/** Bytes so far. */
function bodyMeter(): (chunk: Uint8Array) => number {
  let size = 0
  return (chunk) => {
    size += chunk.length
    return size
  }
}

/** Bytes of the event that is being read; an empty line ends one. */
function eventMeter(): (chunk: Uint8Array) => number {
  let size = 0
  let line = 0
  let largest = 0
  return (chunk) => {
    largest = 0
    for (const byte of chunk) {
      size++
      if (byte === 10) {
        if (line === 0) size = 0
        line = 0
      } else if (byte !== 13) line++
      if (size > largest) largest = size
    }
    return largest
  }
}
