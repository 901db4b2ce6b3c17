/** Names and texts of tools by which one could pass for another. Pure. */

/** What is left of a name when everything that looks alike is made the same. */
function skeleton(name: string): string {
  return name
    .replace(/[1|I]/g, 'l')
    .toLowerCase()
    .replaceAll('0', 'o')
    .replaceAll('5', 's')
    .replaceAll('rn', 'm')
    .replaceAll('vv', 'w')
    .replace(/[_.-]+/g, '')
}

/** Groups of different names that a person could take for one another. */
export function lookAlikes(names: readonly string[]): string[][] {
  const groups = Map.groupBy(new Set(names), skeleton)
  return [...groups.values()].filter((group) => group.length > 1)
}

/**
 * What a person should know before they accept a text of a server, a sentence each: hidden characters, letters of
 * several scripts in one word, and talk of another server's tools.
 */
export function suspicions(text: string, others: readonly string[]): string[] {
  const found: string[] = []
  if (/(?!\n|\t|\r)[\p{Cc}\p{Cf}\p{DI}]/u.test(text)) found.push('it holds characters that are not shown')
  const mixed = text.match(/[\p{L}\p{M}]+/gu)?.find(mixesScripts)
  if (mixed) found.push(`“${mixed.slice(0, 40)}” mixes letters of several scripts`)
  const about = others.find((name) => text.includes(name))
  if (about) found.push(`it speaks of ${about}, a tool of another server`)
  if (
    /<(important|system|instructions?)\b|ignore (all |any )?(previous|prior)|do not (tell|mention|inform)/i.test(
      text,
    )
  )
    found.push('it gives instructions to the model beyond what the tool does')
  return found
}

function mixesScripts(word: string): boolean {
  const scripts = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u, /\p{Script=Armenian}/u]
  return scripts.filter((script) => script.test(word)).length > 1
}
