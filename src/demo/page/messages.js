/** Messages: one of them, and a list that is kept up to date without drawing anew what did not change. */
import { clockTime, dateOf, dayName, fullTime } from './dates.js'
import { el, icon } from './dom.js'
import { editForm } from './editing.js'
import { avatar, nameOf } from './people.js'
import { renderAttachments, renderBlocks, renderFiles } from './render-blocks.js'
import { mrkdwn } from './render-mrkdwn.js'
import { threadKey } from './state.js'

const TOGETHER = 300

/** Makes a list. `paint(messages)` brings it up to date; `where` is `main` or `thread`. */
export function openList(hands, where) {
  const node = el('ol', { class: 'messages' })
  let held = new Map()
  const paint = (messages) => {
    const next = new Map()
    let before
    for (const message of messages) {
      const day = dateOf(message.ts).toDateString()
      if (!before || dateOf(before.ts).toDateString() !== day) {
        next.set(day, held.get(day) ?? { node: dayDivider(message.ts) })
        before = undefined
      }
      const facts = factsOf(message, before, hands.state, where)
      const old = held.get(message.ts)
      next.set(
        message.ts,
        unchanged(old, message, facts) ? { ...old, message } : draw(message, facts, hands, where, old),
      )
      before = message
    }
    held = next
    arrange(node, [...next.values()])
  }
  return { node, paint }
}

/** What else decides how a message looks. */
function factsOf(message, before, state, where) {
  const key = threadKey(message.channel, message.ts)
  const together =
    before &&
    before.user === message.user &&
    Boolean(before.whisper) === Boolean(message.whisper) &&
    !before.reply_count &&
    Number.parseFloat(message.ts) - Number.parseFloat(before.ts) < TOGETHER
  return JSON.stringify({
    together: Boolean(together),
    editing: state.editing?.key === key && state.editing.where === where,
    working: where === 'main' && state.sessions.get(key)?.status === 'processing',
    read: where === 'main' && state.thread?.channel === message.channel && state.thread.ts === message.ts,
  })
}

function unchanged(old, message, facts) {
  if (!old || old.facts !== facts) return false
  return old.message === message || JSON.stringify(old.message) === JSON.stringify(message)
}

function draw(message, facts, hands, where, old) {
  const node = messageNode(message, JSON.parse(facts), hands, where)
  const focused = old?.node.contains(document.activeElement)
    ? document.activeElement.dataset.testid
    : undefined
  if (old) old.node.replaceWith(node)
  if (focused)
    [...node.querySelectorAll('[data-testid]')].find((each) => each.dataset.testid === focused)?.focus()
  return { node, message, facts }
}

/** Puts the nodes in order, touching only what stands wrong. */
function arrange(list, entries) {
  const wanted = new Set(entries.map((entry) => entry.node))
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove()
  let cursor = list.firstElementChild
  for (const { node } of entries) {
    if (node === cursor) cursor = cursor.nextElementSibling
    else list.insertBefore(node, cursor)
  }
}

const dayDivider = (ts) => el('li', { class: 'day', role: 'separator' }, el('span', {}, dayName(dateOf(ts))))

function messageNode(message, facts, hands, where) {
  const { state } = hands
  if (message.subtype === 'tombstone') return tombstone(message, facts, hands, where)
  const app = Boolean(message.bot_id) || message.user === state.boot.bot
  const classes = [
    'message',
    facts.together && 'together',
    facts.read && 'reading',
    message.whisper && 'whisper',
  ]
  const head = el(
    'div',
    { class: 'message-head' },
    el('strong', { class: 'author' }, nameOf(state, message.user)),
    app && el('span', { class: 'badge' }, 'agent'),
    state.users.get(message.user)?.is_guest && el('span', { class: 'badge plain' }, 'guest'),
    time(message),
  )
  return el(
    'li',
    {
      class: classes.filter(Boolean).join(' '),
      data: { testid: 'message', ts: message.ts, user: message.user },
    },
    facts.together ? el('span', { class: 'gutter' }, time(message)) : avatar(state, message.user),
    el(
      'div',
      { class: 'message-body' },
      message.whisper && el('div', { class: 'whisper-note' }, icon('eye'), 'Only visible to you'),
      !facts.together && head,
      facts.editing ? editForm(message, hands) : content(message, hands),
      where === 'main' && replies(message, facts, hands),
    ),
    !facts.editing && tools(message, hands, where),
  )
}

/** What is left of a deleted message that had replies. */
const tombstone = (message, facts, hands, where) =>
  el(
    'li',
    { class: 'message', data: { testid: 'message', ts: message.ts } },
    el('span', { class: 'gutter' }, icon('trash')),
    el(
      'div',
      { class: 'message-body soft' },
      'This message was deleted.',
      where === 'main' && el('div', {}, replies(message, facts, hands)),
    ),
  )

const time = (message) =>
  el(
    'time',
    { class: 'when', title: fullTime(message.ts), datetime: dateOf(message.ts).toISOString() },
    clockTime(message.ts),
  )

function content(message, hands) {
  const place = {
    channel: message.channel,
    message_ts: message.ts,
    key: threadKey(message.channel, message.ts),
  }
  const blocks = message.blocks ?? []
  const drawn = blocks.length > 0 ? renderBlocks(blocks, hands, place) : mrkdwn(message.text, hands)
  const person = !message.bot_id && message.user !== hands.state.boot.bot
  return el(
    'div',
    { class: `content ${asks(blocks) ? 'asks' : ''} ${message.streaming ? 'streaming' : ''}` },
    drawn,
    renderAttachments(message.attachments, hands),
    renderFiles(message.files),
    message.edited && person && el('span', { class: 'edited' }, '(edited)'),
  )
}

/** A message that waits for a decision stands out. */
const asks = (blocks) =>
  blocks.some(
    (block) =>
      block?.type === 'actions' &&
      (block.elements ?? []).some((part) => part.style === 'primary' || part.style === 'danger'),
  )

function replies(message, facts, hands) {
  if (facts.working && !message.reply_count) return working(hands, message)
  if (!message.reply_count) return undefined
  const count = message.reply_count
  return el(
    'button',
    {
      type: 'button',
      class: 'replies',
      data: { testid: 'replies' },
      on: { click: () => hands.openThread(message.channel, message.ts) },
    },
    (message.reply_users ?? []).slice(0, 4).map((user) => avatar(hands.state, user, 'small')),
    el('span', {}, `${count} ${count === 1 ? 'reply' : 'replies'}`),
    facts.working && el('span', { class: 'soft dots' }, 'working'),
  )
}

const working = (hands, message) =>
  el(
    'button',
    { type: 'button', class: 'replies', on: { click: () => hands.openThread(message.channel, message.ts) } },
    avatar(hands.state, hands.state.boot.bot, 'small'),
    el('span', { class: 'soft dots' }, 'working'),
  )

/** What can be done with a message, shown when it is pointed at or focused. */
function tools(message, hands, where) {
  if (message.whisper) return undefined
  const tool = (name, label, testid, run) =>
    el(
      'button',
      {
        type: 'button',
        class: 'tool',
        'aria-label': label,
        title: label,
        data: { testid },
        on: { click: run },
      },
      icon(name),
    )
  const own = message.user === hands.state.me
  const offered = [
    where === 'main' &&
      tool('reply', 'Reply in thread', 'reply', () => hands.openThread(message.channel, message.ts)),
    tool('ask', 'Ask about this', 'ask-about', () => hands.shortcut(message, 'ask_about')),
    tool('trace', 'Show trace', 'show-trace', () => hands.shortcut(message, 'show_trace')),
    own && tool('edit', 'Edit message', 'edit', () => hands.startEdit(message, where)),
    own && tool('trash', 'Delete message', 'delete', () => hands.deleteMessage(message)),
  ].filter(Boolean)
  return (
    offered.length > 0 &&
    el('div', { class: 'message-tools', role: 'toolbar', 'aria-label': 'Message' }, offered)
  )
}
