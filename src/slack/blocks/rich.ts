/** Markdown of a model to Slack's rich text, which cannot ping, link or draw a button by its words alone. */
import type { RichTextBlockElement, RichTextElement, RichTextList, RichTextSection } from '@slack/types'
import { type Style, section, text } from './elements.ts'
import { citedText, type Links, linkElements } from './links.ts'
import { isBreak, type Node, parseMarkdown, plain } from './markdown.ts'
import { columns, type Table } from './table.ts'
import { clean } from './text.ts'

/** A paragraph, a list, a table: what stays together where there is room. */
export type Unit = {
  elements: RichTextBlockElement[]
  /** The words of a heading. */
  heading?: string
  /** What the elements show as columns of text. */
  table?: Table
  /** The table is in a file, so that its first rows are enough. */
  filed?: true
}

/** The top-level nodes of a text, in order. */
export function unitsOf(markdown: string, links: Links): Unit[] {
  const source = clean(markdown)
  const tree = parseMarkdown(source)
  if (!tree) return [{ elements: [section(...citedText(source, links, {}))] }]
  const context: Context = { links, addresses: new Map(), notes: new Set() }
  for (const node of tree.children ?? []) {
    if (!node.identifier) continue
    if (node.type === 'definition' && node.url) context.addresses.set(node.identifier, node.url)
    if (node.type === 'footnoteDefinition') context.notes.add(node.identifier)
  }
  let heading = ''
  const units = (tree.children ?? []).map((node): Unit => {
    if (node.type === 'heading') heading = plain(node).trim()
    return {
      elements: blockElements(node, context, 0),
      ...(node.type === 'heading' && heading ? { heading } : {}),
      ...(node.type === 'table' ? { table: tableOf(node, context, heading) } : {}),
    }
  })
  return units.filter(({ elements }) => elements.length > 0)
}

/** `notes`: the names of footnotes that the text explains. */
type Context = { links: Links; addresses: Map<string, string>; notes: Set<string> }

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
      return [
        { type: 'rich_text_preformatted', elements: [text(columns(wordsOf(tableOf(node, context, ''))))] },
      ]
    case 'thematicBreak':
      return [section(text('———'))]
    case 'html':
      return sections(citedText(node.value ?? '', context.links, {}))
    case 'footnoteDefinition':
      return footnote(node, context, indent)
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

/** A quote holds no blocks: lists in it become lines, code keeps its style. */
function quote(node: Node, context: Context): RichTextBlockElement[] {
  const elements: RichTextElement[] = []
  for (const child of node.children ?? []) {
    const inner = quoted(child, context, 0)
    if (inner.length > 0 && elements.length > 0) elements.push(text('\n'))
    elements.push(...inner)
  }
  return elements.length > 0 ? [{ type: 'rich_text_quote', elements }] : []
}

function quoted(node: Node, context: Context, depth: number): RichTextElement[] {
  switch (node.type) {
    case 'paragraph':
    case 'heading':
      return inline(node, context, node.type === 'heading' ? { bold: true } : {})
    case 'code':
      return node.value ? [text(node.value, { code: true })] : []
    case 'list':
    case 'blockquote':
      return (node.children ?? []).flatMap((child, index) => {
        const mark = node.ordered ? `${(node.start ?? 1) + index}. ` : '• '
        const lead = '  '.repeat(depth) + (node.type === 'list' ? mark : '')
        const inner = child.type === 'listItem' ? (child.children ?? []) : [child]
        const lines = inner.flatMap((one, at) => [
          ...(at > 0 ? [text('\n')] : []),
          ...quoted(one, context, depth + 1),
        ])
        return [...(index > 0 ? [text('\n')] : []), ...(lead ? [text(lead)] : []), ...lines]
      })
    case 'table':
      return [text(columns(wordsOf(tableOf(node, context, ''))), { code: true })]
    default:
      return citedText(plain(node), context.links, {})
  }
}

/** What a footnote says, after its name. */
function footnote(node: Node, context: Context, indent: number): RichTextBlockElement[] {
  const inner = (node.children ?? []).flatMap((child) => blockElements(child, context, indent))
  const [first, ...rest] = inner
  const name = text(`[${clean(node.identifier ?? '')}] `)
  return first?.type === 'rich_text_section'
    ? [section(name, ...first.elements), ...rest]
    : [section(name), ...inner]
}

function tableOf(node: Node, context: Context, caption: string): Table {
  const rows = node.children ?? []
  const width = Math.max(1, ...rows.map((row) => row.children?.length ?? 0))
  return {
    caption,
    align: (node.align ?? []).map((side) => side ?? undefined),
    rows: rows.map((row) =>
      Array.from({ length: width }, (_, column) => {
        const cell = row.children?.[column]
        const elements = cell ? inline(cell, context, {}) : []
        return { elements: elements.length > 0 ? elements : [text(' ')], words: wordsIn(elements).trim() }
      }),
    ),
  }
}

function wordsOf(table: Table): string[][] {
  return table.rows.map((row) => row.map((cell) => cell.words))
}

/** Elements as words; a link names its address, unless it is a citation. */
function wordsIn(elements: readonly RichTextElement[]): string {
  return elements
    .map((element) => {
      if (element.type === 'text') return element.text
      if (element.type !== 'link') return ''
      if (!element.text) return element.url
      return /^\[\d+\]$/.test(element.text) ? element.text : `${element.text} (${element.url})`
    })
    .join('')
}

function inline(node: Node, context: Context, style: Style): RichTextElement[] {
  const inside = (more: Style = {}) =>
    (node.children ?? []).flatMap((child) => inline(child, context, { ...style, ...more }))
  switch (node.type) {
    case 'html':
      if (isBreak(node)) return [text('\n', style)]
      return citedText(node.value ?? '', context.links, style)
    case 'text':
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

/**
 * `[1]` that the answer also defines as a link or explains as a footnote is still our citation; of any other reference
 * a footnote keeps its name, and a link is a link like others.
 */
function reference(node: Node, context: Context, style: Style): RichTextElement[] {
  const name = node.identifier ?? ''
  const number = /^\d{1,4}$/.test(name) ? Number(name) : undefined
  const isNote = node.type === 'footnoteReference' && context.notes.has(name)
  if (isNote && !(number && context.links.cited(number))) return [text(`[${clean(name)}]`, style)]
  if (number !== undefined) return citedText(`[${name}]`, context.links, style)
  const words = node.children ? labelOf(node, style) : [text(node.alt ?? name, style)]
  return linkElements(words, context.addresses.get(name) ?? '', context.links, style)
}

/** The words of a link: no link within a link, and no citation. */
function labelOf(node: Node, style: Style): RichTextElement[] {
  const words = plain(node)
  return words ? [text(words, style)] : []
}
