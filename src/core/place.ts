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
