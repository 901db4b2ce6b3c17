/** Slack's mrkdwn, as DOM nodes: the text of sections, contexts and plain messages. */
import { formatDate } from './dates.js'
import { el, link } from './dom.js'
import { withEmoji } from './emoji.js'
import { channelMention, userMention } from './people.js'

const MARKS = { '*': 'strong', _: 'em', '~': 's' }

/** Slack escapes exactly these three. */
export const unescaped = (text) =>
  text.replace(/&(lt|gt|amp);/g, (_, name) => ({ lt: '<', gt: '>', amp: '&' })[name])

/** A text object: mrkdwn or plain. */
export function textNodes(text, hands) {
  if (!text) return []
  return text.type === 'mrkdwn' ? mrkdwn(text.text, hands) : withLines(text.text)
}

const withLines = (text) =>
  String(text ?? '')
    .split('\n')
    .flatMap((line, n) => (n > 0 ? [el('br'), ...withEmoji(line)] : withEmoji(line)))

/** The nodes of a mrkdwn text: paragraphs of lines, quotes and preformatted parts. */
export function mrkdwn(text, hands) {
  const nodes = []
  const source = String(text ?? '')
  let from = 0
  for (const match of source.matchAll(/```([\s\S]*?)```/g)) {
    if (match[1].trim() === '') continue
    nodes.push(...lines(source.slice(from, match.index), hands))
    nodes.push(el('pre', {}, el('code', {}, inlineEntities(match[1].replace(/^\n|\n$/g, ''), hands))))
    from = match.index + match[0].length
  }
  return [...nodes, ...lines(source.slice(from), hands)]
}

/** Lines, with runs of `>` lines gathered into quotes. */
function lines(text, hands) {
  const nodes = []
  let open
  const trimmed = text.replace(/^\n|\n$/g, '')
  if (trimmed === '') return nodes
  for (const line of trimmed.split('\n')) {
    const quoted = /^(?:>|&gt;) ?(.*)$/.exec(line)
    const tag = quoted ? 'BLOCKQUOTE' : 'DIV'
    if (open?.tagName === tag) open.append(el('br'))
    else {
      open = quoted ? el('blockquote') : el('div', { class: 'line' })
      nodes.push(open)
    }
    open.append(...inline(quoted ? quoted[1] : line, hands))
  }
  return nodes
}

/** One line: entities, code, bold, italic, strike. */
export function inline(text, hands, depth = 0) {
  const nodes = []
  let held = ''
  let at = 0
  const flush = () => {
    if (held) nodes.push(...withEmoji(unescaped(held)))
    held = ''
  }
  while (at < text.length) {
    const found = depth < 6 ? take(text, at, hands, depth) : undefined
    if (found) {
      flush()
      nodes.push(found.node)
      at = found.end
    } else {
      held += text[at]
      at += 1
    }
  }
  flush()
  return nodes
}

/** What begins at `at`: an entity, code, or marked text; undefined where it is an ordinary letter. */
function take(text, at, hands, depth) {
  const sign = text[at]
  if (sign === '<') {
    const end = text.indexOf('>', at)
    if (end < 0) return undefined
    const node = entity(text.slice(at + 1, end), hands)
    return node && { node, end: end + 1 }
  }
  if (sign === '`') {
    const end = text.indexOf('`', at + 1)
    if (end <= at + 1) return undefined
    return { node: el('code', {}, inlineEntities(text.slice(at + 1, end), hands)), end: end + 1 }
  }
  const tag = MARKS[sign]
  if (!tag || /[\p{L}\p{N}]/u.test(text[at - 1] ?? ' ') || /\s|^$/.test(text[at + 1] ?? '')) return undefined
  const end = closing(text, at, sign)
  if (end === undefined) return undefined
  return { node: el(tag, {}, inline(text.slice(at + 1, end), hands, depth + 1)), end: end + 1 }
}

/** Where the mark closes: after something that is no space, before something that is no letter. */
function closing(text, at, sign) {
  for (let end = text.indexOf(sign, at + 1); end > 0; end = text.indexOf(sign, end + 1)) {
    if (end === at + 1) return undefined
    if (!/\s/.test(text[end - 1]) && !/[\p{L}\p{N}]/u.test(text[end + 1] ?? ' ')) return end
  }
  return undefined
}

/** Inside code only links and mentions keep a meaning, as text. */
function inlineEntities(text) {
  return unescaped(
    text.replace(
      /<((?:https?:|mailto:|[@#!])[^<>|]+)(?:\|([^<>]*))?>/g,
      (_, target, label) => label || target,
    ),
  )
}

/** `<…>`: a link, a mention, a date. Undefined where it is none of them. */
function entity(inside, hands) {
  const bar = inside.indexOf('|')
  const target = bar < 0 ? inside : inside.slice(0, bar)
  const label = bar < 0 ? undefined : unescaped(inside.slice(bar + 1))
  if (/^@[A-Z0-9]+$/.test(target)) return userMention(hands.state, target.slice(1))
  if (/^#[A-Z0-9]+$/.test(target)) return channelMention(hands, target.slice(1), label)
  if (/^!(here|channel|everyone)$/.test(target))
    return el('span', { class: 'mention loud' }, `@${target.slice(1)}`)
  if (target.startsWith('!subteam^')) return el('span', { class: 'mention' }, label ?? `@${target.slice(9)}`)
  if (target.startsWith('!date^')) return date(target, label)
  if (target === '' || target.startsWith('!')) return undefined
  if (!/^[a-z][a-z0-9+.-]*:/i.test(target)) return undefined
  return link(unescaped(target), label || unescaped(target).replace(/^mailto:/, ''))
}

function date(target, label) {
  const [, timestamp, format, url] = target.split('^')
  const words = formatDate(timestamp, format, label)
  return el('time', { title: label }, url ? link(url, words) : words)
}
