/** Markdown of a model to Slack's rich text, which cannot ping, link or draw a button by its words alone. */
import type { RichTextBlockElement, RichTextElement, RichTextList, RichTextSection } from '@slack/types'
import remarkGfm from 'remark-gfm'
import remarkParse from 'remark-parse'
import { unified } from 'unified'
import { type Style, section, text } from './elements.ts'
import { citedText, type Links, linkElements } from './links.ts'
import { clean } from './text.ts'

/** What we use of a Markdown syntax tree. */
type Node = {
  type: string
  children?: Node[]
  value?: string
  url?: string
  alt?: string | null
  ordered?: boolean | null
  start?: number | null
  checked?: boolean | null
  identifier?: string
}

const parser = unified().use(remarkParse).use(remarkGfm)

/** Markdown nested deeper than this is shown as it was written: no person wrote it. */
const DEEPEST = 40

/** The elements of each top-level node, in order; what belongs together stays together. */
export function richText(markdown: string, links: Links): RichTextBlockElement[][] {
  const source = clean(markdown)
  const tree = parse(source)
  if (!tree) return [[section(...citedText(source, links, {}))]]
  const addresses = new Map<string, string>()
  for (const node of tree.children ?? []) {
    if (node.type === 'definition' && node.identifier && node.url) addresses.set(node.identifier, node.url)
  }
  const nodes = (tree.children ?? []).map((node) => blockElements(node, { links, addresses }, 0))
  return nodes.filter((elements) => elements.length > 0)
}

/** Marks of one kind in a text; the parser's time grows with their square, and no answer holds so many. */
const MOST_MARKS = 2000

function parse(source: string): Node | undefined {
  if (/(?:[>[(*_~`!-]\s?){200}/.test(source)) return undefined
  for (const marks of [/[*_~]+/g, /[[\]]/g]) {
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

type Context = { links: Links; addresses: Map<string, string> }

function blockElements(node: Node, context: Context, indent: number): RichTextBlockElement[] {
  switch (node.type) {
    case 'paragraph':
      return sections(inline(node, context, {}))
    case 'heading':
      return sections(inline(node, context, { bold: true }))
    case 'code':
      return [{ type: 'rich_text_preformatted', elements: [text(node.value ?? '')] }]
    case 'list':
      return listElements(node, context, indent)
    case 'blockquote':
      return quote(node, context)
    case 'table':
      return [{ type: 'rich_text_preformatted', elements: [text(tableText(node))] }]
    case 'thematicBreak':
      return [section(text('———'))]
    case 'html':
      return sections(citedText(node.value ?? '', context.links, {}))
    case 'footnoteDefinition':
      return (node.children ?? []).flatMap((child) => blockElements(child, context, indent))
    default:
      return []
  }
}

function sections(elements: RichTextElement[]): RichTextSection[] {
  return elements.length > 0 ? [section(...elements)] : []
}

/** Slack has no lists within lists: an inner one is a list of its own, set further in. */
function listElements(node: Node, context: Context, indent: number): RichTextBlockElement[] {
  const out: RichTextBlockElement[] = []
  let open: RichTextList | undefined
  ;(node.children ?? []).forEach((item, index) => {
    const words: RichTextElement[] = item.checked == null ? [] : [text(item.checked ? '☑ ' : '☐ ')]
    const after: RichTextBlockElement[] = []
    for (const child of item.children ?? []) {
      const leaf = child.type === 'paragraph' || child.type === 'heading'
      if (leaf && after.length === 0) {
        if (words.length > 0 && words.at(-1) !== words[0]) words.push(text('\n'))
        words.push(...inline(child, context, {}))
      } else after.push(...blockElements(child, context, indent + 1))
    }
    if (!open) {
      open = {
        type: 'rich_text_list',
        style: node.ordered ? 'ordered' : 'bullet',
        indent: Math.min(indent, 6),
        elements: [],
      }
      const offset = (node.start ?? 1) - 1 + index
      if (node.ordered && offset > 0 && offset < 100_000) Object.assign(open, { offset })
      out.push(open)
    }
    open.elements.push(section(...(words.length > 0 ? words : [text(' ')])))
    if (after.length > 0) {
      out.push(...after)
      open = undefined
    }
  })
  return out
}

function quote(node: Node, context: Context): RichTextBlockElement[] {
  const elements: RichTextElement[] = []
  for (const child of node.children ?? []) {
    const inner =
      child.type === 'paragraph' || child.type === 'heading'
        ? inline(child, context, {})
        : citedText(plain(child), context.links, {})
    if (inner.length > 0 && elements.length > 0) elements.push(text('\n'))
    elements.push(...inner)
  }
  return elements.length > 0 ? [{ type: 'rich_text_quote', elements }] : []
}

function inline(node: Node, context: Context, style: Style): RichTextElement[] {
  const inside = (more: Style = {}) =>
    (node.children ?? []).flatMap((child) => inline(child, context, { ...style, ...more }))
  switch (node.type) {
    case 'text':
    case 'html':
      return citedText(node.value ?? '', context.links, style)
    case 'inlineCode':
      return node.value ? [text(node.value, { ...style, code: true })] : []
    case 'strong':
      return inside({ bold: true })
    case 'emphasis':
      return inside({ italic: true })
    case 'delete':
      return inside({ strike: true })
    case 'break':
      return [text('\n', style)]
    case 'link':
      return linkElements(labelOf(node, style), node.url ?? '', context.links, style)
    case 'image':
      return linkElements(node.alt ? [text(node.alt, style)] : [], node.url ?? '', context.links, style)
    case 'footnoteReference':
    case 'linkReference':
    case 'imageReference':
      return reference(node, context, style)
    default:
      return inside()
  }
}

/** `[1]` that the answer also defines as a link is still our citation; any other reference is a link like others. */
function reference(node: Node, context: Context, style: Style): RichTextElement[] {
  const name = node.identifier ?? ''
  if (/^\d{1,4}$/.test(name)) return citedText(`[${name}]`, context.links, style)
  const words = node.children ? labelOf(node, style) : [text(node.alt ?? name, style)]
  return linkElements(words, context.addresses.get(name) ?? '', context.links, style)
}

/** The words of a link: no link within a link, and no citation. */
function labelOf(node: Node, style: Style): RichTextElement[] {
  const words = plain(node)
  return words ? [text(words, style)] : []
}

function plain(node: Node): string {
  if (node.value !== undefined) return node.value
  if (node.type === 'image') return node.alt ?? ''
  if (node.type === 'break') return '\n'
  const gap = node.type === 'list' || node.type === 'listItem' || node.type === 'blockquote' ? '\n' : ''
  return (node.children ?? []).map(plain).join(gap)
}

function tableText(node: Node): string {
  const rows = (node.children ?? []).map((row) =>
    (row.children ?? []).map((cell) => plain(cell).replaceAll('\n', ' ')),
  )
  const widths: number[] = []
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.min(40, Math.max(widths[column] ?? 0, [...cell].length))
    })
  }
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...cell].length)))
      .join(' | ')
      .trimEnd(),
  )
  lines.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('-+-'))
  return lines.join('\n')
}
