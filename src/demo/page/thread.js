/** The right column: one thread, what the agent is doing in it, and a box to answer. */
import { openComposer } from './composer.js'
import { el, icon } from './dom.js'
import { openList } from './messages.js'
import { channelName, nameOf } from './people.js'
import { openScroller } from './scroller.js'
import { messagesIn, threadKey } from './state.js'

/** Makes the column in `node`; hidden while no thread is open. */
export function openThreadPanel(node, hands) {
  const list = openList(hands, 'thread')
  const { status, words } = workingLine(hands)
  const scroller = openScroller([list.node, status])
  const here = () => hands.state.thread
  const composer = openComposer({
    id: 'thread-composer',
    testid: 'thread-composer',
    hands,
    send: (text, files) => hands.say(here().channel, here().ts, text, files),
    recall: () => hands.editLast(here().channel, here().ts, 'thread'),
  })
  const subtitle = el('span', { class: 'soft' })
  const close = el(
    'button',
    {
      type: 'button',
      class: 'tool',
      'aria-label': 'Close thread',
      data: { testid: 'close-thread' },
      on: { click: hands.closeThread },
    },
    icon('close'),
  )
  node.dataset.testid = 'thread'
  node.replaceChildren(
    el('header', { class: 'panel-head' }, el('h2', {}, 'Thread'), subtitle, close),
    scroller.node,
    composer.node,
  )
  const paint = () => {
    const { state } = hands
    const thread = state.thread
    node.hidden = !thread
    document.getElementById('app').classList.toggle('with-thread', Boolean(thread))
    if (!thread) return
    const key = threadKey(thread.channel, thread.ts)
    subtitle.textContent =
      thread.channel === state.dm ? nameOf(state, state.boot.bot) : `#${channelName(state, thread.channel)}`
    composer.aim(key, 'Reply in the thread')
    scroller.around(key, () => {
      list.paint(messagesIn(state, thread.channel, thread.ts))
      status.hidden = state.sessions.get(key)?.status !== 'processing'
      words.textContent = `${nameOf(state, state.boot.bot)} is working`
    })
  }
  return { paint, focus: composer.focus, node }
}

/** The line that says the agent is at work, with the button that stops it. */
function workingLine(hands) {
  const words = el('span', { class: 'dots' })
  const stop = el(
    'button',
    {
      type: 'button',
      class: 'button small',
      data: { testid: 'stop' },
      on: { click: (event) => hands.stop(event.currentTarget) },
    },
    icon('stop'),
    'Stop',
  )
  const pulse = el('span', { class: 'pulse', 'aria-hidden': 'true' })
  const status = el(
    'div',
    { class: 'working', role: 'status', data: { testid: 'working' }, hidden: true },
    pulse,
    words,
    stop,
  )
  return { status, words }
}
