/** Lines out of a byte stream, none longer than a cap; what is longer is thrown away while it arrives. */

/** Bytes kept of both ends of a line that is too long, to see which answer it was. */
const ENDS = 256

/**
 * A reader to feed with chunks. Lines go to `on.line` without their end; of a line longer than `max` bytes
 * only its ends go to `on.oversized`. Memory stays below `max` plus one chunk.
 */
export function readLines(
  max: number,
  on: { line(text: string): void; oversized(head: string, tail: string): void },
): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let size = 0

  function take(piece: Buffer): void {
    parts.push(piece)
    size += piece.length
    if (size > max) {
      const all = Buffer.concat(parts)
      parts = [Buffer.from(all.subarray(0, ENDS)), Buffer.from(all.subarray(-ENDS))]
    }
  }

  function finish(): void {
    const [line, tooLong] = [Buffer.concat(parts), size > max]
    parts = []
    size = 0
    if (tooLong) on.oversized(line.toString('latin1', 0, ENDS), line.toString('latin1', line.length - ENDS))
    else on.line(line.toString('utf8').replace(/\r$/, ''))
  }

  return (chunk) => {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(10, from)
      take(chunk.subarray(from, end < 0 ? undefined : end))
      if (end < 0) return
      finish()
      from = end + 1
    }
  }
}
