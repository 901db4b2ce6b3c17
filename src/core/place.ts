/** Where a citation opens: the place within a page that a passage was cut from. Pure. */

export type Place = { heading: string; start: number; end: number; text: string }

/**
 * The address of a passage, from the address of its document, where that says how: `{heading}` is the anchor of the
 * passage's nearest heading as GitHub, GitLab and most wikis make it, `{start}` and `{end}` are offsets in the
 * document's text, and `{text}` its first words, which browsers look for behind `#:~:text=`.
 */
export function placeLink(link: string, place: Place): string {
  const filled = link
    .replaceAll('{heading}', () => encodeURIComponent(anchorOf(place.heading)))
    .replaceAll('{start}', String(place.start))
    .replaceAll('{end}', String(place.end))
    .replaceAll('{text}', () => encodeURIComponent(firstWords(place.text)).replaceAll('-', '%2D'))
  return filled.replace(/#(:~:text=)?$/, '')
}

/** `Rolling back › In a hurry!` → `in-a-hurry` */
function anchorOf(heading: string): string {
  const nearest = heading.split(' › ').at(-1) ?? ''
  return nearest
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}\s_-]/gu, '')
    .replace(/\s/g, '-')
}

/** The first words of the first line that has several: short enough for an address, long enough to be found. */
function firstWords(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  const line = lines.find((one) => /\S\s+\S/.test(one)) ?? lines.find((one) => one !== '') ?? ''
  return line.split(/\s+/).slice(0, 8).join(' ').slice(0, 120)
}

const LINES = /\{(line|lines|page)\}/g

/**
 * Gives passages the link of their document with the lines they stand on: `{line}` is the first, `{lines}` the first and
 * last as `12-20`, `{page}` the page, where pages are parted by form feeds; all count from 1. Passages that have a
 * link of their own keep it.
 */
export function placeLines<C extends { start: number; end: number; link?: string }>(
  text: string,
  chunks: readonly C[],
  link: string | undefined,
): C[] {
  if (link === undefined || link.search(LINES) < 0) return [...chunks]
  let at = 0
  let line = 1
  let page = 1
  return chunks.map((chunk) => {
    for (; at < chunk.start; at++) {
      if (text[at] === '\n') line += 1
      if (text[at] === '\f') page += 1
    }
    const last = line + text.slice(chunk.start, chunk.end).split('\n').length - 1
    const values: Record<string, string> = { line: `${line}`, lines: `${line}-${last}`, page: `${page}` }
    return { link: link.replace(LINES, (_, name: string) => values[name] ?? ''), ...chunk }
  })
}

/** The link of the whole document: without lines, and without the fragment or the value that was for them. */
export function withoutLines(link: string): string {
  if (link.search(LINES) < 0) return link
  const [address = '', fragment = ''] = link.split('#', 2)
  const kept =
    address.search(LINES) < 0
      ? address
      : address.replace(/[?&][\w-]*=?\{(line|lines|page)\}/g, '').replace(LINES, '1')
  return fragment === '' || fragment.search(LINES) >= 0 ? kept : `${kept}#${fragment}`
}
