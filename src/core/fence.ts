/** Fenced code blocks in Markdown that is cut before its end. */

/** A code block that a text leaves open: the line that opens it again, and the one that closes it. */
export type Fence = { open: string; close: string }

const FENCE = /^[\s>]*(`{3,}|~{3,})(.*)$/

/** The code block that is open where a text ends; undefined where none is. */
export function openFence(markdown: string): Fence | undefined {
  let open: { marks: string; info: string } | undefined
  for (const line of markdown.split('\n')) {
    const [, marks = '', rest = ''] = FENCE.exec(line) ?? []
    if (marks === '') continue
    if (!open) {
      // An info string of a block in backticks holds none: such a line is text with code in it.
      if (marks.startsWith('~') || !rest.includes('`')) open = { marks, info: rest.trim() }
    } else if (marks[0] === open.marks[0] && marks.length >= open.marks.length && rest.trim() === '') {
      open = undefined
    }
  }
  return open && { open: `${open.marks}${open.info}`, close: open.marks }
}

/** Where to cut a text so that at most `most` UTF-16 units come before: behind a line, a word, or a character. */
export function cutBefore(text: string, most: number): number {
  if (text.length <= most) return text.length
  const head = text.slice(0, most)
  const line = head.lastIndexOf('\n') + 1
  if (line > most / 2) return line
  const word = head.lastIndexOf(' ') + 1
  if (word > most / 2) return word
  return /[\ud800-\udbff]$/.test(head) ? most - 1 : most
}
