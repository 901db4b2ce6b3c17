/** The whole of a long answer as a Markdown file in which no link hides where it leads. */
import { keepKnown } from '../../core/cite.ts'
import type { Cited } from '../../core/run.ts'
import { type Node, parseMarkdown, plain } from './markdown.ts'
import { clean } from './text.ts'

/** Longer than this, in characters, an answer is not parsed. */
const MOST_PARSED = 150_000

/** The file: what the model wrote with its citations of known passages, and a list of these. */
export function wholeAnswer(markdown: string, cited: readonly Cited[]): Buffer {
  const kept = keepKnown(clean(markdown), new Set(cited.map(({ n }) => n)))
  const body = showLinks(kept.text)
  const sources = kept.cited.flatMap((n) => {
    const passage = cited.find((one) => one.n === n)
    if (!passage) return []
    const title =
      clean(passage.title)
        .replace(/[\s[\]<>`*_\\]+/g, ' ')
        .trim() || 'Untitled'
    return `- \\[${n}\\] ${title}${passage.link ? ` \`${code(passage.link)}\`` : ''}`
  })
  // What stands at the beginning of the first line says how it is read.
  return Buffer.from(
    `${body.trimEnd()}\n${sources.length > 0 ? `\n## Sources\n\n${sources.join('\n')}\n` : ''}`,
  )
}

/** Every link and picture as its words and its address; what cannot be read as Markdown stands as it is, as code. */
export function showLinks(markdown: string): string {
  let text = markdown
  // Taking a link apart can make another of what stood around it.
  for (let round = 0; round < 4; round++) {
    const tree = text.length > MOST_PARSED ? undefined : parseMarkdown(text)
    if (!tree) break
    const links = outermost(tree)
    if (links.length === 0) return text
    // Addresses that were found in text after it was parsed do not say where they stand.
    if (links.some(({ position }) => position?.start.offset === undefined)) break
    const addresses = new Map<string, string>()
    for (const node of links)
      if (node.type === 'definition' && node.identifier) addresses.set(node.identifier, node.url ?? '')
    for (const node of links.reverse()) {
      const { start, end } = node.position ?? { start: {}, end: {} }
      text = `${text.slice(0, start.offset)}${spelt(node, addresses)}${text.slice(end.offset)}`
    }
  }
  return fenced(text)
}

const LINKS = ['link', 'image', 'linkReference', 'imageReference', 'definition', 'html']

function outermost(node: Node): Node[] {
  if (LINKS.includes(node.type)) return [node]
  return (node.children ?? []).flatMap(outermost)
}

/** A link as `words (address)`, without anything that Markdown would read as a link, a picture or HTML. */
function spelt(node: Node, addresses: Map<string, string>): string {
  if (node.type === 'definition') return ''
  if (node.type === 'html') return (node.value ?? '').replaceAll('<', '\\<')
  const label = plain(node).replace(/\s+/g, ' ').trim()
  const url = node.url ?? addresses.get(node.identifier ?? '') ?? ''
  // What looks like an address would be a link by itself.
  const words = /www\.|@|:\/\//i.test(label) ? `\`${code(label)}\`` : label.replace(/[[\]<>`*_\\|]/g, '\\$&')
  if (url === '') return words
  const same = label === '' || [label, `http://${label}`, `mailto:${label}`].includes(url)
  return same ? `\`${code(label || url)}\`` : `${words} (\`${code(url)}\`)`
}

/** Text that can stand between two backticks, also in a cell of a table. */
function code(text: string): string {
  return clean(text).replace(/[`\s|]/g, (mark) => (mark.trim() === '' ? ' ' : encodeURIComponent(mark)))
}

function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}\n${text}\n${fence}`
}
