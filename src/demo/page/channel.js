/** The middle: a channel's messages, or the agent's home. */
import { openComposer } from './composer.js'
import { el, icon } from './dom.js'
import { openList } from './messages.js'
import { avatar, channelSign, nameOf } from './people.js'
import { renderBlocks } from './render-blocks.js'
import { openScroller } from './scroller.js'
import { messagesIn } from './state.js'

const EXAMPLES = [
  'how do we roll back a deploy?',
  'who is on call this week?',
  'write a file handover.md saying "Ben takes over the pager on Friday"',
]

/** Makes the middle in `node`. Returns its painting, and `fill` and `focus` of the composer. */
export function openChannel(node, hands) {
  const list = openList(hands, 'main')
  const empty = el('div', { class: 'empty-slot' })
  const scroller = openScroller([empty, list.node])
  const composer = openComposer({
    id: 'main-composer',
    testid: 'composer',
    hands,
    send: (text, files) => hands.say(hands.state.place, undefined, text, files),
    recall: () => hands.editLast(hands.state.place, undefined, 'main'),
  })
  const head = el('header', { class: 'panel-head' })
  const home = el('div', { class: 'home-view', tabindex: '-1' })
  node.replaceChildren(head, scroller.node, composer.node, home)
  let headShown
  let emptyShown
  let homeShown

  const membersHere = () => hands.state.channels.get(hands.state.place)?.members.length ?? 0
  const paintHead = () => {
    const { state } = hands
    const facts = JSON.stringify([state.place, state.me, state.dm, membersHere()])
    if (facts === headShown) return
    headShown = facts
    head.replaceChildren(...headParts(hands))
  }
  const paintHome = () => {
    const facts = JSON.stringify(hands.state.home ?? null)
    if (facts === homeShown) return
    homeShown = facts
    home.replaceChildren(...homeParts(hands))
  }
  const paint = () => {
    const { state } = hands
    const atHome = state.place === 'home'
    paintHead()
    home.hidden = !atHome
    scroller.node.hidden = atHome
    composer.node.hidden = atHome
    if (atHome) return paintHome()
    const messages = messagesIn(state, state.place)
    const show = messages.length === 0 && state.loaded.has(state.place)
    const facts = JSON.stringify([state.place, show, state.me, membersHere()])
    if (facts !== emptyShown) {
      emptyShown = facts
      empty.replaceChildren(...(show ? emptyParts(hands, composer) : []))
    }
    composer.aim(state.place, placeholder(state))
    scroller.around(state.place, () => list.paint(messages))
  }
  return { paint, fill: composer.fill, focus: composer.focus }
}

function placeholder(state) {
  if (state.place === state.dm) return `Message ${nameOf(state, state.boot.bot)}`
  const name = state.channels.get(state.place)?.name ?? ''
  return innerWidth < 560 ? `Message #${name}` : `Message #${name}, or @quorum to ask the agent`
}

function headParts(hands) {
  const { state } = hands
  const burger = el(
    'button',
    {
      type: 'button',
      class: 'tool burger',
      'aria-label': 'Channels',
      data: { testid: 'menu' },
      on: { click: hands.toggleSide },
    },
    icon('menu'),
  )
  const agent = nameOf(state, state.boot.bot)
  if (state.place === 'home')
    return [burger, avatar(state, state.boot.bot, 'small'), el('h1', {}, `${agent} · Home`)]
  if (state.place === state.dm) {
    return [
      burger,
      avatar(state, state.boot.bot, 'small'),
      el('h1', {}, agent),
      el('span', { class: 'badge' }, 'agent'),
    ]
  }
  const channel = state.channels.get(state.place)
  const members = channel?.members ?? []
  return [
    burger,
    el('h1', {}, channelSign(channel), channel?.name ?? ''),
    channel?.is_ext_shared && el('span', { class: 'badge outside' }, 'shared with another company'),
    el(
      'div',
      {
        class: 'faces',
        role: 'img',
        'aria-label': `Members: ${members.map((id) => nameOf(state, id)).join(', ')}`,
        title: members.map((id) => nameOf(state, id)).join(', '),
      },
      members.slice(0, 5).map((id) => avatar(state, id, 'small')),
      el('span', { class: 'soft' }, String(members.length)),
    ),
  ].filter(Boolean)
}

/** An empty channel invites. */
function emptyParts(hands, composer) {
  const { state } = hands
  const agent = nameOf(state, state.boot.bot)
  const dm = state.place === state.dm
  const channel = state.channels.get(state.place)
  const here = dm || channel?.members.includes(state.boot.bot)
  const title = dm ? `This is between you and ${agent}` : `Welcome to #${channel?.name ?? ''}`
  const words = here
    ? `${agent} answers from the team's handbook, shows how it got there, and asks before it does anything. Try one of these:`
    : `${agent} is not in this channel, so it hears nothing that is said here.`
  const invite = () => hands.order('/ui/invite', { channel: state.place })
  const example = (text) => {
    const whole = dm ? text : `@quorum ${text}`
    return el(
      'button',
      {
        type: 'button',
        class: 'example',
        data: { testid: 'example' },
        on: { click: () => composer.fill(whole) },
      },
      !dm && el('span', { class: 'mention' }, '@quorum'),
      el('span', {}, text),
    )
  }
  return [
    el(
      'div',
      { class: 'empty', data: { testid: 'empty' } },
      avatar(state, state.boot.bot, 'big'),
      el('h2', {}, title),
      el('p', {}, words),
      here
        ? el('div', { class: 'examples' }, EXAMPLES.map(example))
        : el(
            'button',
            { type: 'button', class: 'button', data: { testid: 'invite' }, on: { click: invite } },
            `Invite ${agent}`,
          ),
    ),
  ]
}

function homeParts(hands) {
  const view = hands.state.home
  if (!view?.blocks?.length) {
    return [
      el(
        'div',
        { class: 'empty' },
        avatar(hands.state, hands.state.boot.bot, 'big'),
        el('h2', {}, 'Nothing here yet'),
        el('p', {}, 'The agent has not published its home for you.'),
      ),
    ]
  }
  return [
    el(
      'div',
      { class: 'home-inner', data: { testid: 'home' } },
      renderBlocks(view.blocks, hands, { view_id: view.id, key: view.id }),
    ),
  ]
}
