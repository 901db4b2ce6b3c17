/** rich_text blocks: what agents answer in. */
import { formatDate } from './dates.js'
import { el, link } from './dom.js'
import { emojiNode } from './emoji.js'
import { channelMention, userMention } from './people.js'

/** The nodes of a whole rich_text block. */
export function richText(block, hands) {
  const nodes = []
  const lists = []
  for (const element of block?.elements ?? []) {
    if (element.type === 'rich_text_list') {
      list(nodes, lists, element, hands)
      continue
    }
    lists.length = 0
    if (element.type === 'rich_text_section') nodes.push(section(element, hands))
    else if (element.type === 'rich_text_quote')
      nodes.push(el('blockquote', {}, spans(element.elements, hands)))
    else if (element.type === 'rich_text_preformatted') nodes.push(pre(element))
    else nodes.push(el('span', { class: 'chip' }, `unsupported element: ${element.type}`))
  }
  return nodes
}

/** The words of a rich_text block, without their looks. */
export function plainOf(block) {
  const words = (element) =>
    element.elements
      ? element.elements.map(words).join('')
      : (element.text ?? element.fallback ?? element.url ?? '')
  return (block?.elements ?? []).map(words).join(' ')
}

const pre = (element) =>
  el(
    'pre',
    {},
    el(
      'code',
      {},
      (element.elements ?? []).map((part) => part.text ?? part.url ?? ''),
    ),
  )

function section(element, hands) {
  return el('div', { class: 'line rich' }, spans(element.elements, hands))
}

/** Slack sends every level of a nested list as an element of its own, with its depth in `indent`. */
function list(nodes, lists, element, hands) {
  const depth = Math.min(element.indent ?? 0, 8)
  const tag = element.style === 'ordered' ? 'ol' : 'ul'
  while (lists.length > depth + 1) lists.pop()
  const open = lists[depth]
  if (open && open.tagName.toLowerCase() === tag) open.append(...items(element, hands))
  else {
    lists.length = Math.min(lists.length, depth)
    const fresh = el(tag, { start: element.offset ? element.offset + 1 : undefined }, items(element, hands))
    const above = lists.at(-1)
    if (!above) nodes.push(fresh)
    else (above.lastElementChild ?? above).append(fresh)
    lists.push(fresh)
  }
}

const items = (element, hands) =>
  (element.elements ?? []).map((item) => el('li', {}, spans(item.elements, hands)))

const spans = (elements, hands) =>
  (elements ?? []).map((element) => styled(span(element, hands), element.style))

function span(element, hands) {
  switch (element.type) {
    case 'text':
      return document.createTextNode(element.text ?? '')
    case 'link':
      return citation(element) ?? link(element.url, element.text || element.url)
    case 'user':
      return userMention(hands.state, element.user_id)
    case 'channel':
      return channelMention(hands, element.channel_id)
    case 'usergroup':
      return el('span', { class: 'mention' }, `@${element.usergroup_id}`)
    case 'broadcast':
      return el('span', { class: 'mention loud' }, `@${element.range}`)
    case 'emoji':
      return emojiNode(element.name, element.unicode)
    case 'date':
      return dateNode(element)
    case 'color':
      return colour(element.value)
    default:
      return document.createTextNode(element.text ?? element.fallback ?? '')
  }
}

/** A link whose words are only a number is a citation, and small. */
function citation(element) {
  const number = /^\[?(\d{1,3})\]?$/.exec(element.text ?? '')
  if (!number) return undefined
  return link(element.url, number[1], { class: 'cite', 'aria-label': `Source ${number[1]}` })
}

function dateNode(element) {
  const words = formatDate(element.timestamp, element.format, element.fallback)
  return el('time', { title: element.fallback }, element.url ? link(element.url, words) : words)
}

function colour(value) {
  const swatch = el('span', { class: 'swatch', 'aria-hidden': 'true' })
  if (/^#[0-9a-f]{3,8}$/i.test(value ?? '')) swatch.style.backgroundColor = value
  return el('span', {}, swatch, String(value ?? ''))
}

function styled(node, style) {
  let result = node
  if (style?.code) result = el('code', {}, result)
  if (style?.strike) result = el('s', {}, result)
  if (style?.italic) result = el('em', {}, result)
  if (style?.bold) result = el('strong', {}, result)
  if (style?.underline) result = el('u', {}, result)
  return result
}
