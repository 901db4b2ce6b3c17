/** Models without a reasoning parser in front of them think aloud first: `<think>…</think>answer`. */

const OPEN = '<think>'
const CLOSE = '</think>'

/**
 * Takes the text of an answer piece by piece and gives back what of it is answer:
 * a leading `<think>…</think>` and the blanks around it are left out, however the pieces are cut.
 */
export function skipThinking(): { take(piece: string): string; rest(): string } {
  let state: 'start' | 'inside' | 'after' | 'answer' = 'start'
  let held = ''
  const take = (piece: string): string => {
    if (state === 'answer') return piece
    held += piece
    if (state === 'start') {
      const text = held.trimStart()
      if (OPEN.startsWith(text.slice(0, OPEN.length)) && text.length < OPEN.length) return ''
      if (!text.startsWith(OPEN)) return release(held)
      state = 'inside'
      held = text.slice(OPEN.length)
    }
    if (state === 'inside') {
      const end = held.indexOf(CLOSE)
      if (end < 0) {
        held = held.slice(-(CLOSE.length - 1))
        return ''
      }
      state = 'after'
      held = held.slice(end + CLOSE.length)
    }
    const text = held.trimStart()
    return text === '' ? '' : release(text)
  }
  const release = (text: string) => {
    state = 'answer'
    held = ''
    return text
  }
  return { take, rest: () => (state === 'start' ? release(held) : '') }
}
