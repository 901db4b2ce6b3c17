/** The `markdown` block: a small renderer of ordinary Markdown. HTML in it stays text. */
import { el, link } from './dom.js'
import { withEmoji } from './emoji.js'

/** The nodes of a Markdown text. */
export function markdown(text) {
  return blocks(
    String(text ?? '')
      .replace(/\r\n?/g, '\n')
      .split('\n'),
    0,
  )
}

const FENCE = /^ {0,3}(`{3,}|~{3,})(.*)$/
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*$/
const RULE = /^ {0,3}([-*_])(?: *\1){2,} *$/
const ITEM = /^( *)([-*+]|\d{1,9}[.)])( +(.*)|)$/
const TABLE_RULE = /^ *\|? *:?-+:? *(\| *:?-+:? *)*\|? *$/

function blocks(lines, depth) {
  const nodes = []
  let at = 0
  while (at < lines.length) {
    const line = lines[at]
    const read = line.trim() === '' ? { end: at + 1 } : block(lines, at, depth)
    if (read.node) nodes.push(read.node)
    at = read.end
  }
  return nodes
}

/** The block that begins at a line that is not empty, and where it ends. */
function block(lines, at, depth) {
  const line = lines[at]
  const fence = FENCE.exec(line)
  if (fence) return fenced(lines, at, fence[1])
  const heading = HEADING.exec(line)
  if (heading) return { node: el('h4', { class: `h${heading[1].length}` }, spans(heading[2])), end: at + 1 }
  if (RULE.test(line)) return { node: el('hr'), end: at + 1 }
  if (depth < 8 && /^ {0,3}>/.test(line)) return quote(lines, at, depth)
  if (depth < 8 && ITEM.test(line)) return list(lines, at, depth)
  if (line.includes('|') && TABLE_RULE.test(lines[at + 1] ?? '')) return table(lines, at)
  return paragraph(lines, at)
}

function fenced(lines, at, sign) {
  let end = at + 1
  const held = []
  while (end < lines.length && !lines[end].trim().startsWith(sign)) held.push(lines[end++])
  return { node: el('pre', {}, el('code', {}, held.join('\n'))), end: end + 1 }
}

function quote(lines, at, depth) {
  let end = at
  const held = []
  while (end < lines.length && /^ {0,3}>/.test(lines[end])) held.push(lines[end++].replace(/^ {0,3}> ?/, ''))
  return { node: el('blockquote', {}, blocks(held, depth + 1)), end }
}

function list(lines, at, depth) {
  const first = ITEM.exec(lines[at])
  const indent = first[1].length
  const ordered = /\d/.test(first[2])
  const node = el(ordered ? 'ol' : 'ul', { start: ordered ? Number.parseInt(first[2], 10) : undefined })
  let end = at
  while (end < lines.length) {
    const match = ITEM.exec(lines[end])
    if (!match || match[1].length > indent + 1 || /\d/.test(match[2]) !== ordered) break
    const held = [match[4] ?? '']
    end += 1
    while (end < lines.length && continues(lines, end, indent)) held.push(dedent(lines[end++], indent))
    node.append(item(held, depth))
  }
  return { node, end }
}

/** A line belongs to the item above while it is deeper, or an empty line before a deeper one. */
function continues(lines, at, indent) {
  const line = lines[at]
  if (line.trim() === '') return /^\s/.test(lines[at + 1] ?? '') && deeper(lines[at + 1], indent)
  return deeper(line, indent)
}

const deeper = (line, indent) => line.search(/\S/) > indent + 1
const dedent = (line, indent) =>
  line.slice(Math.min(line.length, Math.max(0, Math.min(line.search(/\S/), indent + 4))))

function item(held, depth) {
  const task = /^\[([ xX])\] +(.*)$/.exec(held[0])
  if (task) held[0] = task[2]
  const [head, ...rest] = held
  const inner = rest.length > 0 ? blocks(rest, depth + 1) : []
  const box =
    task && el('input', { type: 'checkbox', disabled: true, checked: task[1] !== ' ', 'aria-label': 'done' })
  return el('li', { class: task ? 'task' : undefined }, box, spans(head), inner)
}

const cells = (line) =>
  line
    .trim()
    .replace(/^\||(?<!\\)\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))

function table(lines, at) {
  const head = cells(lines[at])
  const sides = cells(lines[at + 1]).map((rule) =>
    /^:.*:$/.test(rule) ? 'center' : rule.endsWith(':') ? 'right' : undefined,
  )
  const row = (words, tag) =>
    el(
      'tr',
      {},
      head.map((_, n) => el(tag, { class: sides[n] }, spans(words[n] ?? ''))),
    )
  let end = at + 2
  const body = el('tbody')
  while (end < lines.length && lines[end].includes('|')) body.append(row(cells(lines[end++]), 'td'))
  return {
    node: el('div', { class: 'table-box' }, el('table', {}, el('thead', {}, row(head, 'th')), body)),
    end,
  }
}

function paragraph(lines, at) {
  let end = at + 1
  while (end < lines.length && lines[end].trim() !== '' && !startsBlock(lines[end])) end += 1
  const node = el('p')
  lines.slice(at, end).forEach((line, n) => {
    if (n > 0) node.append(el('br'))
    node.append(...spans(line.trim()))
  })
  return { node, end }
}

const startsBlock = (line) =>
  FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || /^ {0,3}>/.test(line)

/** What can stand in a line, tried in this order at every letter. */
const SPANS = [
  [/^`+/, code],
  [/^\\([!-/:-@[-`{-~])/, (match) => [match[1], match[0].length]],
  [/^!?\[([^[\]]{0,500})\]\((<[^<>\s]{0,2000}>|[^()\s]{0,2000})(?: +"[^"]{0,200}")?\)/, named],
  [/^<((?:https?:\/\/|mailto:)[^<>\s]{1,2000})>/, (match) => [link(match[1], match[1]), match[0].length]],
  [/^(\*\*|__)(?=\S)([^\n]{0,2000}?[^\s\\])\1/, marked('strong')],
  [/^(~~)(?=\S)([^\n]{0,2000}?\S)\1/, marked('s')],
  [/^(\*|_)(?=[^\s*_])([^\n]{0,2000}?[^\s\\*_])\1(?![\p{L}\p{N}*_])/u, marked('em')],
  [/^https?:\/\/[^\s<>"'`]{1,2000}/, bare],
]
const STARTS = /[`\\![<*_~h]/

/** Inline Markdown. */
export function spans(text, depth = 0) {
  const nodes = []
  let held = ''
  let at = 0
  while (at < text.length) {
    const found = depth < 6 && STARTS.test(text[at]) ? spanAt(text, at, depth) : undefined
    if (found) {
      if (held) nodes.push(...withEmoji(held))
      held = ''
      nodes.push(found[0])
      at += found[1]
    } else held += text[at++]
  }
  if (held) nodes.push(...withEmoji(held))
  return nodes
}

function spanAt(text, at, depth) {
  const inWord = /[\p{L}\p{N}]/u.test(text[at - 1] ?? ' ')
  if (inWord && (text[at] === '_' || text[at] === 'h')) return undefined
  const rest = text.slice(at, at + 4500)
  for (const [pattern, make] of SPANS) {
    const match = pattern.exec(rest)
    const made = match && make(match, rest, depth)
    if (made) return made
  }
  return undefined
}

function code(match, rest) {
  const end = rest.indexOf(match[0], match[0].length)
  if (end < 0) return undefined
  return [el('code', {}, rest.slice(match[0].length, end).replace(/^ (.+) $/, '$1')), end + match[0].length]
}

function named(match, _rest, depth) {
  const url = match[2].replace(/^<|>$/g, '')
  const number = /^\d{1,3}$/.test(match[1])
  const props = number ? { class: 'cite', 'aria-label': `Source ${match[1]}` } : {}
  return [link(url, match[1] === '' ? url : spans(match[1], depth + 1), props), match[0].length]
}

function marked(tag) {
  return (match, _rest, depth) => [el(tag, {}, spans(match[2], depth + 1)), match[0].length]
}

function bare(match) {
  const url = match[0].replace(/[.,:;!?)\]]+$/, '')
  return [link(url, url), url.length]
}
