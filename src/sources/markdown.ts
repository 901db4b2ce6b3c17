/** Markdown as a document: front matter, title, and the blocks it is made of. */
import remarkGfm from 'remark-gfm'
import remarkParse from 'remark-parse'
import { unified } from 'unified'
import { parse as parseYaml } from 'yaml'
import type { Block, Range, SourceDocument } from '../core/chunk.ts'
import { titleFromName } from './plain.ts'

const parser = unified().use(remarkParse).use(remarkGfm)

type Node = ReturnType<typeof parser.parse>['children'][number]
/** What stands inside of a line, as far as its words matter. */
type Inline = { type: string; value?: string; alt?: string | null | undefined; children?: Inline[] }

/**
 * Reads a Markdown file. The title is the front matter's, else the first heading of the first level, else
 * the file's name. Comments are left out: people do not see them, so the model must not. Takes time that
 * grows with the square of some texts, and throws where the nesting is too deep: see `openMarkdownReader`.
 */
export function readMarkdown(file: string, text: string): SourceDocument {
  const front = readFrontMatter(text)
  const root = parser.parse(text.slice(front.length))
  const blocks = hide(
    root.children.flatMap((node) => blocksOf(node, front.length)),
    commentsIn(root, text, front.length),
  )
  const first = blocks.find((block) => block.kind === 'heading' && block.depth === 1)
  const heading = first?.kind === 'heading' ? first.text : ''
  const title = front.title || heading || titleFromName(file)
  return { path: file, title, text, blocks }
}

function blocksOf(node: Node, shift: number): Block[] {
  const range = rangeOf(node, shift)
  if (!range) return []
  switch (node.type) {
    case 'thematicBreak':
    case 'definition':
      return []
    case 'heading':
      return [
        { kind: 'heading', depth: node.depth, text: plainTextOf(node).replace(/\s+/g, ' ').trim(), ...range },
      ]
    case 'list':
      return node.children.flatMap((item) => placed(item, shift, { kind: 'lines' }))
    case 'table':
      return rowsOf(node, shift)
    case 'code':
      return [{ kind: 'code', ...range }]
    case 'paragraph':
      return [{ kind: 'prose', ...range }]
    default:
      return [{ kind: 'lines', ...range }]
  }
}

type Position = { start: { offset?: number | undefined }; end: { offset?: number | undefined } }
type Placed = { position?: Position | undefined }

/** Where a node stands; nowhere for one that the parser made up. */
function rangeOf({ position }: Placed, shift: number): Range | undefined {
  const start = position?.start.offset
  const end = position?.end.offset
  return start === undefined || end === undefined ? undefined : { start: start + shift, end: end + shift }
}

function placed(node: Placed, shift: number, block: { kind: 'lines'; head?: Range }): Block[] {
  const range = rangeOf(node, shift)
  return range ? [{ ...block, ...range }] : []
}

/** Each row on its own, below the row of names and the dashes under it. */
function rowsOf(table: Extract<Node, { type: 'table' }>, shift: number): Block[] {
  const [names, first, ...rest] = table.children
  const whole = rangeOf(table, shift)
  const from = first && rangeOf(first, shift)
  if (!names || !whole || !from) return placed(table, shift, { kind: 'lines' })
  const head = { start: whole.start, end: from.start }
  return [
    { kind: 'lines', ...head },
    ...[first, ...rest].flatMap((row) => placed(row, shift, { kind: 'lines', head })),
  ]
}

type Any = Placed & { type: string; children?: Any[] }

/** The comments of all HTML in a text, in order. */
function commentsIn(node: Any, text: string, shift: number): Range[] {
  const range = node.type === 'html' ? rangeOf(node, shift) : undefined
  if (!range) return (node.children ?? []).flatMap((child) => commentsIn(child, text, shift))
  const found: Range[] = []
  for (let at = text.indexOf('<!--', range.start); at >= 0 && at < range.end; ) {
    const close = text.indexOf('-->', at + 4)
    const end = close < 0 || close + 3 > range.end ? range.end : close + 3
    found.push({ start: at, end })
    at = text.indexOf('<!--', end)
  }
  return found
}

/** The blocks without what is hidden, which stands between them. */
function hide(blocks: Block[], hidden: Range[]): Block[] {
  if (hidden.length === 0) return blocks
  return blocks.flatMap((block) => {
    const inside = hidden.filter((one) => one.start < block.end && one.end > block.start)
    if (block.kind === 'heading' || inside.length === 0) return [block]
    const starts = [block.start, ...inside.map((one) => one.end)]
    return starts.flatMap((start, at): Block[] => {
      const gap = inside[at]
      const part = { ...block, start, end: gap?.start ?? block.end }
      return [...(part.end > start ? [part] : []), ...(gap ? [{ kind: 'hidden' as const, ...gap }] : [])]
    })
  })
}

function plainTextOf(node: Inline): string {
  if (node.type === 'text' || node.type === 'inlineCode') return node.value ?? ''
  if (node.type === 'image') return node.alt ?? ''
  if (node.type === 'break') return ' '
  return (node.children ?? []).map(plainTextOf).join('')
}

type FrontMatter = { length: number; title: string; date?: string }

/** The day a Markdown file says it is of: its front matter's `updated`, else `date`. */
export function dateOfMarkdown(text: string): string | undefined {
  return readFrontMatter(text).date
}

/** What stands between `---` lines at the very beginning, where it is YAML of the form `key: value`. */
function readFrontMatter(text: string): FrontMatter {
  const none = { length: 0, title: '' }
  const match = /^---[ \t]*\r?\n([\s\S]{0,20000}?)\r?\n---[ \t]*(?:\r?\n|$)/.exec(text)
  if (!match) return none
  try {
    const front: unknown = parseYaml(match[1] ?? '', { maxAliasCount: 10, logLevel: 'silent' })
    if (typeof front !== 'object' || front === null || Array.isArray(front)) return none
    const { title, updated, date } = front as Record<string, unknown>
    const day = dayOf(updated) ?? dayOf(date)
    return {
      length: match[0].length,
      title: typeof title === 'string' || typeof title === 'number' ? String(title).trim() : '',
      ...(day === undefined ? {} : { date: day }),
    }
  } catch {
    return none
  }
}

/** The day of a date written as 2026-05-02, with or without a time; undefined where there is no such day. */
function dayOf(value: unknown): string | undefined {
  const day = typeof value === 'string' ? /^\d{4}-\d{2}-\d{2}(?=$|[T ])/.exec(value.trim())?.[0] : undefined
  if (day === undefined) return undefined
  const date = new Date(`${day}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day) && day >= '0001'
    ? day
    : undefined
}
