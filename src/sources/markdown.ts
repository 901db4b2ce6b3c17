/** Markdown as a document: front matter, title, and the blocks it is made of. */
import remarkGfm from 'remark-gfm'
import remarkParse from 'remark-parse'
import { unified } from 'unified'
import { parse as parseYaml } from 'yaml'
import type { Block, SourceDocument } from '../core/chunk.ts'
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
  const blocks = root.children.flatMap((node) => blocksOf(node, front.length))
  const first = blocks.find((block) => block.kind === 'heading' && block.depth === 1)
  const heading = first?.kind === 'heading' ? first.text : ''
  const title = front.title || heading || titleFromName(file)
  return { path: file, title, text, blocks }
}

function blocksOf(node: Node, shift: number): Block[] {
  const start = node.position?.start.offset
  const end = node.position?.end.offset
  if (start === undefined || end === undefined) return []
  const range = { start: start + shift, end: end + shift }
  switch (node.type) {
    case 'thematicBreak':
    case 'definition':
      return []
    case 'html':
      return withoutComments(node.value).trim() === '' ? [] : [{ kind: 'lines', ...range }]
    case 'heading':
      return [
        { kind: 'heading', depth: node.depth, text: plainTextOf(node).replace(/\s+/g, ' ').trim(), ...range },
      ]
    case 'list':
      return node.children.flatMap((item) => {
        const from = item.position?.start.offset
        const to = item.position?.end.offset
        return from === undefined || to === undefined
          ? []
          : [{ kind: 'lines' as const, start: from + shift, end: to + shift }]
      })
    case 'paragraph':
      return [{ kind: 'prose', ...range }]
    default:
      return [{ kind: 'lines', ...range }]
  }
}

function withoutComments(html: string): string {
  let rest = ''
  for (let at = 0; ; ) {
    const open = html.indexOf('<!--', at)
    if (open < 0) return rest + html.slice(at)
    rest += html.slice(at, open)
    const close = html.indexOf('-->', open + 4)
    if (close < 0) return rest
    at = close + 3
  }
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
