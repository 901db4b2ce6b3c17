/** HTML as a document: what people read of a page, with its headings, lists, tables and code. */
import { type CheerioAPI, load } from 'cheerio'
import type { AnyNode, Element } from 'domhandler'
import type { SourceDocument } from '../core/chunk.ts'
import { type Draft, oneLine, openDraft } from './draft.ts'
import { titleFromName } from './plain.ts'

/** What is on a page and not its text, or not to be seen. */
const ASIDE =
  'script, style, noscript, template, svg, canvas, iframe, object, embed, audio, video, nav, aside, dialog, ' +
  'button, input, select, textarea, [hidden], [aria-hidden="true"], [role="navigation"], [role="banner"], ' +
  '[role="contentinfo"], [role="search"], [role="dialog"], body > header, body > footer'
const UNSEEN = /display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0|opacity\s*:\s*0(?![.\d])/i
const BLOCKS = new Set(
  (
    'address article blockquote body center dd details div dl dt fieldset figcaption figure footer form header hr ' +
    'html main p section summary'
  ).split(' '),
)

/**
 * Reads a page: its `main` part where it has one, without what is aside or hidden. The title is its first heading
 * where it has one of the first level, else its own title, else the file's name. `firstRowNames`: the first row of
 * every table names its columns, whatever it is made of.
 */
export function readHtml(
  file: string,
  html: string,
  { firstRowNames = false }: { firstRowNames?: boolean } = {},
): SourceDocument {
  const $ = load(html)
  const own = oneLine($('head > title').first().text())
  $(ASIDE).remove()
  $('[style]')
    .filter((_, one) => UNSEEN.test($(one).attr('style') ?? ''))
    .remove()
  const draft = openDraft()
  const walk = walker($, draft, firstRowNames)
  for (const node of mainOf($)) walk.block(node)
  walk.flush()
  return draft.done(file, draft.firstHeading() || own || titleFromName(file))
}

function mainOf($: CheerioAPI): AnyNode[] {
  for (const wanted of ['main, [role="main"]', 'article']) {
    const found = $(wanted)
    const [only] = found.toArray()
    if (only && found.length === 1 && oneLine(found.text()).length > 200) return [only]
  }
  return $('body').toArray()
}

function walker($: CheerioAPI, draft: Draft, firstRowNames: boolean) {
  let line = ''
  const flush = () => {
    const text = line.replace(/[^\S\n]+/g, ' ').replace(/ ?\n ?/g, '\n')
    line = ''
    draft.add('prose', text)
  }
  const inside = (node: Element) => {
    for (const child of node.children) block(child)
  }
  /** A node and what is in it, in the order of the page. */
  function block(node: AnyNode): void {
    if (node.type === 'text') line += node.data.replace(/\s+/g, ' ')
    if (node.type === 'root') for (const child of node.children) block(child)
    if (node.type !== 'tag') return
    const { name } = node
    if (name === 'br') line += '\n'
    else if (name === 'img') line += ` ${$(node).attr('alt') ?? ''} `
    else if (/^h[1-6]$/.test(name)) apart(() => draft.heading(Number(name[1]), $(node).text()))
    else if (name === 'pre') apart(() => draft.add('code', $(node).text()))
    else if (name === 'ul' || name === 'ol') apart(() => list(node, ''))
    else if (name === 'table') apart(() => table(node))
    else if (BLOCKS.has(name)) {
      flush()
      inside(node)
      flush()
    } else inside(node)
  }
  const apart = (write: () => void) => {
    flush()
    write()
  }
  /** Each entry is a block of its own, lists in it included. */
  function list(node: Element, indent: string): void {
    for (const [at, item] of $(node).children('li').toArray().entries())
      draft.add('lines', entry(item, indent, node.name === 'ol' ? `${at + 1}.` : '-'))
  }
  function entry(item: Element, indent: string, mark: string): string {
    const below = $(item).children('ul, ol')
    const own = $(item).clone()
    own.children('ul, ol').remove()
    const lines = [`${indent}${mark} ${oneLine(own.text())}`]
    for (const inner of below.toArray())
      for (const [at, one] of $(inner).children('li').toArray().entries())
        lines.push(entry(one, `${indent}  `, inner.name === 'ol' ? `${at + 1}.` : '-'))
    return lines.join('\n')
  }
  /** A table of data; one that only lays out a page is walked through. */
  function table(node: Element): void {
    const rows = $(node).find('tr').toArray()
    if ($(node).find('table, h1, h2, h3, ul, ol, pre').length > 0) {
      inside(node)
      return
    }
    draft.add('prose', $(node).children('caption').text())
    const cells = rows.map((row) =>
      $(row)
        .children('td, th')
        .toArray()
        .map((cell) => $(cell).text()),
    )
    const [first] = rows
    const named =
      first && (firstRowNames || $(first).parent().is('thead') || $(first).children('td').length === 0)
    draft.table(cells, named ? 1 : 0)
  }
  return { block, flush }
}
