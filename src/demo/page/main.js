/** The page: opens its parts, connects them to the server, and lets one person act. */
import { packFiles } from './attach.js'
import { openChannel } from './channel.js'
import { confirmWith, notice } from './dialogs.js'
import { openModalLayer } from './modal.js'
import { channelName, nameOf } from './people.js'
import { openSidebar } from './sidebar.js'
import { applyEvent, channelsOf, hold, messagesIn, openState, threadKey } from './state.js'
import { openThreadPanel } from './thread.js'
import { ask, listen, tell } from './wire.js'

const $ = (id) => document.getElementById(id)
const LATE = new Set(['message', 'changed', 'deleted'])

let change
let live
const hands = { state: undefined, complain: notice }
const catching = new Set()
const recounts = new Map()

/** Reads something, then applies once more what happened meanwhile, so that nothing older wins. */
async function read(path, query, keep) {
  const late = []
  const asked = hands.state
  catching.add(late)
  try {
    const answer = await ask(path, { as: asked.me, ...query })
    if (asked !== hands.state) return
    change((state) => {
      keep(state, answer)
      for (const event of late)
        applyEvent(state, event.type === 'message' ? { ...event, type: 'changed' } : event)
    })
  } catch (error) {
    notice(error.message)
  } finally {
    catching.delete(late)
  }
}

const readHistory = (channel) =>
  read('/ui/history', { channel }, (state, answer) => {
    hold(state.roots, channel, answer.messages)
    state.loaded.add(channel)
  })

const readThread = ({ channel, ts }) =>
  read('/ui/thread', { channel, ts }, (state, answer) => {
    hold(state.threads, threadKey(channel, ts), answer.messages)
    if (answer.session) state.sessions.set(threadKey(channel, ts), answer.session)
  })

function readAll() {
  const { state } = hands
  if (state.place && state.place !== 'home') readHistory(state.place)
  if (state.thread) readThread(state.thread)
}

function hear(event) {
  if (LATE.has(event.type)) for (const late of catching) late.push(event)
  let next = {}
  change((state) => {
    next = applyEvent(state, event)
  })
  if (next.recount) recount(next.recount)
  const writing = document.activeElement?.id === 'thread-composer' && document.activeElement.value !== ''
  if (next.open && !writing) hands.openThread(next.open.channel, next.open.ts, { byItself: true })
}

/** Reads a channel's reply counts again, a little later, once for many events. */
function recount(channel) {
  if (!hands.state.loaded.has(channel)) return
  clearTimeout(recounts.get(channel))
  recounts.set(
    channel,
    setTimeout(() => readHistory(channel), 120),
  )
}

/** Gives an order in the person's name. Returns the answer, or undefined after telling why not. */
hands.order = async (path, body) => {
  try {
    return await tell(path, { as: hands.state.me, ...body })
  } catch (error) {
    notice(error.message)
    return undefined
  }
}

hands.go = (place) => {
  change((state) => {
    state.place = place
    state.unread.delete(place)
    state.editing = undefined
    if (state.thread && state.thread.channel !== place) state.thread = undefined
  })
  history.replaceState(null, '', `?as=${encodeURIComponent(hands.state.me)}#${hashOf(place)}`)
  $('app').classList.remove('side-open')
  if (place === 'home') {
    hands.order('/ui/home', {}).then((answer) => {
      if (answer?.view) change((state) => applyEvent(state, { type: 'home', view: answer.view }))
    })
    return
  }
  readHistory(place)
  if (place === hands.state.dm) hands.order('/ui/home', { tab: 'messages' })
}

const hashOf = (place) =>
  place === 'home' ? 'home' : place === hands.state.dm ? 'dm' : channelName(hands.state, place)

function placeOf(hash) {
  const { state } = hands
  if (hash === 'home') return 'home'
  if (hash === 'dm' && state.dm) return state.dm
  const channels = channelsOf(state)
  return (channels.find((channel) => channel.name === hash) ?? channels[0])?.id ?? state.dm ?? 'home'
}

hands.openThread = (channel, ts, { byItself = false } = {}) => {
  change((state) => {
    state.thread = { channel, ts }
    state.editing = undefined
    state.dismissed.delete(threadKey(channel, ts))
    const root = state.roots.get(channel)?.get(ts)
    if (root && !state.threads.has(threadKey(channel, ts)))
      hold(state.threads, threadKey(channel, ts), [root])
  })
  readThread({ channel, ts })
  if (!byItself) setTimeout(() => panels.thread.focus(), 30)
}

hands.closeThread = () => {
  change((state) => {
    if (state.thread) state.dismissed.add(threadKey(state.thread.channel, state.thread.ts))
    state.thread = undefined
  })
  setTimeout(() => panels.channel.focus(), 30)
}

hands.toggleSide = () => $('app').classList.toggle('side-open')

/** Says something, or gives a slash command. True when it was taken. */
hands.say = async (channel, thread, text, dropped = []) => {
  if (text.startsWith('/') && dropped.length === 0) return command(channel, thread, text)
  if (/@quorum\b/i.test(text)) await offerInvitation(channel)
  const files = await packFiles(dropped).catch(() => undefined)
  if (!files) notice('A file could not be read.')
  return (
    files !== undefined &&
    Boolean(await hands.order('/ui/say', { channel, text, files, ...(thread && { thread_ts: thread }) }))
  )
}

/** Whoever mentions the agent where it cannot hear is asked first, as in Slack. */
async function offerInvitation(channel) {
  const { state } = hands
  const { name, members } = state.channels.get(channel) ?? {}
  if (!members || members.includes(state.boot.bot)) return
  const agent = nameOf(state, state.boot.bot)
  const words = `Without an invitation it hears nothing that is said in #${name}.`
  const sure = await confirmWith(
    {
      title: { text: `${agent} is not in this channel` },
      text: { type: 'plain_text', text: words },
      confirm: { text: 'Invite and send' },
      deny: { text: 'Only send' },
    },
    hands,
  )
  if (sure) await hands.order('/ui/invite', { channel })
}

async function command(channel, thread, text) {
  if (/^\/invite\s+@quorum\s*$/i.test(text)) return Boolean(await hands.order('/ui/invite', { channel }))
  if (!/^\/quorum(\s|$)/.test(text)) {
    notice('This workspace knows /quorum and /invite @quorum.')
    return false
  }
  if (thread) {
    notice('Slash commands do not run inside threads, as in Slack. Write @quorum instead.')
    return false
  }
  return Boolean(await hands.order('/ui/command', { channel, text }))
}

/** Presses something in a message or a view; rejects with the server's sentence. */
hands.click = ({ channel, message_ts, view_id, block_id }, action_id, value) => {
  const where = view_id ? { view_id } : { channel, message_ts }
  return tell('/ui/click', { as: hands.state.me, ...where, block_id, action_id, value })
}

hands.startEdit = (message, where) =>
  change((state) => {
    state.editing = { key: threadKey(message.channel, message.ts), where }
  })

/** `text` undefined leaves the message as it was. */
hands.finishEdit = async (message, text) => {
  if (text === '') return hands.deleteMessage(message)
  if (text !== undefined) {
    const answer = await hands.order('/ui/edit', { channel: message.channel, ts: message.ts, text })
    if (!answer) return
  }
  const { where } = hands.state.editing ?? {}
  change((state) => {
    state.editing = undefined
  })
  if (where) panels[where === 'thread' ? 'thread' : 'channel'].focus()
}

hands.editLast = (channel, thread, where) => {
  const own = messagesIn(hands.state, channel, thread).filter(
    (message) => message.user === hands.state.me && !message.whisper,
  )
  if (own.length === 0) return false
  hands.startEdit(own.at(-1), where)
  return true
}

hands.deleteMessage = async (message) => {
  const sure = await confirmWith(
    {
      title: { text: 'Delete this message?' },
      text: {
        type: 'plain_text',
        text: 'It disappears for everyone, and what the agent was doing about it stops.',
      },
      confirm: { text: 'Delete' },
      deny: { text: 'Keep it' },
      style: 'danger',
    },
    hands,
  )
  if (sure) await hands.order('/ui/delete', { channel: message.channel, ts: message.ts })
}

/** Uses an entry of the app's in a message's own menu. */
hands.shortcut = (message, callback_id) =>
  hands.order('/ui/shortcut', { channel: message.channel, message_ts: message.ts, callback_id })

hands.stop = async (button) => {
  const { channel, ts } = hands.state.thread
  button.disabled = true
  await hands.order('/ui/interrupt', { channel, thread_ts: ts })
  button.disabled = false
}

hands.forgetView = (id) =>
  change((state) => {
    state.views = state.views.filter((view) => view.id !== id)
  })

/** Becomes a person: reads what they can see, and listens in their name. */
hands.become = async (wanted) => {
  live?.close()
  const boot = await ask('/ui/boot', wanted ? { as: wanted } : {})
  const people = boot.users.filter((user) => !user.is_bot)
  const me = (people.find((user) => user.id === wanted) ?? people[0]).id
  const opened = openState(boot, me, paint)
  hands.state = opened.state
  change = opened.change
  const dm = await ask('/ui/dm', { as: me }).catch(() => undefined)
  opened.state.dm = dm?.channel
  hands.go(placeOf(decodeURIComponent(location.hash.slice(1))))
  live = listen(me, {
    event: hear,
    up: () => {
      change((state) => {
        state.online = true
      })
      readAll()
    },
    down: () =>
      change((state) => {
        state.online = false
      }),
  })
}

const panels = {
  side: openSidebar($('side'), hands),
  channel: openChannel($('main'), hands),
  thread: openThreadPanel($('thread'), hands),
  modal: openModalLayer(hands),
}

function paint(state) {
  for (const panel of Object.values(panels)) panel.paint()
  const place =
    state.place === 'home'
      ? 'Home'
      : state.place === state.dm
        ? 'Messages'
        : `#${channelName(state, state.place)}`
  const unread = [...state.unread.values()].reduce((sum, count) => sum + count, 0)
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${place} · ${nameOf(state, state.me)} · Quorum`
}

addEventListener('hashchange', () => hands.go(placeOf(decodeURIComponent(location.hash.slice(1)))))
addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || event.defaultPrevented || document.querySelector('dialog[open], .menu'))
    return
  if ($('app').classList.contains('side-open')) hands.toggleSide()
  else if (hands.state?.thread && !hands.state.editing) hands.closeThread()
})

async function begin() {
  try {
    await hands.become(new URLSearchParams(location.search).get('as') ?? undefined)
  } catch (error) {
    notice(error.message)
    setTimeout(begin, 2000)
  }
}
begin()
