/** Markdown as a tree, where that costs little: what no person writes stays unparsed. */
import remarkGfm from 'remark-gfm'
import remarkParse from 'remark-parse'
import { unified } from 'unified'

/** What we use of a Markdown syntax tree. */
export type Node = {
  type: string
  children?: Node[]
  value?: string
  url?: string
  alt?: string | null
  ordered?: boolean | null
  start?: number | null
  checked?: boolean | null
  identifier?: string
  align?: ('left' | 'right' | 'center' | null)[] | null
  position?: { start: { offset?: number }; end: { offset?: number } }
}

const parser = unified().use(remarkParse).use(remarkGfm)

/** Markdown nested deeper than this is shown as it was written. */
const DEEPEST = 40
/** Marks of one kind in a text; the parser's time grows with their square, and no answer holds so many. */
const MOST_MARKS = 2000

/** The tree of a text; undefined where it is better shown as it was written. */
export function parseMarkdown(source: string): Node | undefined {
  if (/(?:[>[(*_~`!-]\s?){200}/.test(source)) return undefined
  if ((source.match(/^(?: {80}|\t{20})/gm)?.length ?? 0) > 30) return undefined
  // Within a word an underscore is no mark: tables of identifiers are full of them.
  for (const marks of [/[*~]+|(?<!\w)_+|_+(?!\w)/g, /[[\]]/g]) {
    if ((source.match(marks)?.length ?? 0) > MOST_MARKS) return undefined
  }
  const tree = parser.parse(source) as Node
  return depth(tree) > DEEPEST ? undefined : tree
}

function depth(node: Node): number {
  let deepest = 0
  const open: [Node, number][] = [[node, 1]]
  for (let next = open.pop(); next; next = open.pop()) {
    deepest = Math.max(deepest, next[1])
    for (const child of next[0].children ?? []) open.push([child, next[1] + 1])
  }
  return deepest
}

/** The words of a node without its marks. */
export function plain(node: Node): string {
  if (node.type === 'html' && isBreak(node)) return '\n'
  if (node.value !== undefined) return node.value
  if (node.type === 'image' || node.type === 'imageReference') return node.alt ?? ''
  if (node.type === 'break') return '\n'
  if (node.type === 'footnoteReference') return `[${node.identifier ?? ''}]`
  const gap = node.type === 'list' || node.type === 'listItem' || node.type === 'blockquote' ? '\n' : ''
  return (node.children ?? []).map(plain).join(gap)
}

/** `<br>`, which models write where Markdown has no line break, as in a cell of a table. */
export function isBreak(node: Node): boolean {
  return /^<br\s*\/?>$/i.test(node.value ?? '')
}
