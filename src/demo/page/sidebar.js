/** The left column: the workspace, its channels, the agent, and who you are. */
import { openMenu } from './dialogs.js'
import { el, icon } from './dom.js'
import { avatar, channelSign, mark, nameOf } from './people.js'
import { channelsOf } from './state.js'

/** Makes the column in `node`. `paint` draws it anew only when something in it changed. */
export function openSidebar(node, hands) {
  let shown
  const paint = () => {
    const { state } = hands
    const facts = JSON.stringify([
      state.boot,
      state.me,
      state.place,
      state.dm,
      [...state.unread],
      state.online,
    ])
    if (facts === shown) return
    shown = facts
    const focused = node.contains(document.activeElement) ? document.activeElement.dataset.testid : undefined
    node.replaceChildren(...parts(hands).flat().filter(Boolean))
    if (focused) node.querySelector(`[data-testid="${CSS.escape(focused)}"]`)?.focus()
  }
  return { paint }
}

function parts(hands) {
  const { state } = hands
  const agent = nameOf(state, state.boot.bot)
  return [
    el(
      'div',
      { class: 'side-head' },
      el('span', { class: 'side-mark', 'aria-hidden': 'true' }, mark()),
      el(
        'div',
        { class: 'side-name' },
        el('strong', {}, state.boot.team.name),
        el('span', {}, 'local workspace'),
      ),
    ),
    el(
      'div',
      { class: 'side-list' },
      el('h2', {}, 'Channels'),
      channelsOf(state).map((channel) =>
        entry(hands, channel.id, channelSign(channel), channel.name, `channel-${channel.name}`),
      ),
      el('h2', {}, agent),
      state.dm && entry(hands, state.dm, icon('reply', 'sign'), 'Messages', 'channel-dm'),
      entry(hands, 'home', icon('home', 'sign'), 'Home', 'channel-home'),
    ),
    !state.online && el('p', { class: 'offline', role: 'status' }, 'Connecting to the workspace…'),
    switcher(hands),
  ]
}

function entry(hands, place, sign, name, testid) {
  const { state } = hands
  const unread = state.unread.get(place) ?? 0
  return el(
    'button',
    {
      type: 'button',
      class: `side-entry ${unread > 0 ? 'unread' : ''}`,
      'aria-current': state.place === place ? 'page' : undefined,
      data: { testid },
      on: { click: () => hands.go(place) },
    },
    sign,
    el('span', { class: 'side-label' }, name),
    unread > 0 &&
      el('span', { class: 'count', 'aria-label': `${unread} new` }, unread > 99 ? '99+' : String(unread)),
  )
}

/** Any person of the workspace can be played; two tabs are two people. */
function switcher(hands) {
  const { state } = hands
  const open = (event) => {
    const items = state.boot.users
      .filter((user) => !user.is_bot)
      .map((user) => ({
        label: user.name,
        href: `?as=${encodeURIComponent(user.id)}`,
        testid: `as-${user.name}`,
        checked: user.id === state.me,
        content: [
          avatar(state, user.id, 'small'),
          el('span', {}, user.real_name || user.name),
          role(user) && el('span', { class: 'badge plain' }, role(user)),
        ],
        run: () => hands.become(user.id),
      }))
    openMenu(event.currentTarget, items, 'Ctrl or ⌘ and click opens a second tab, as another person.')
  }
  return el(
    'button',
    {
      type: 'button',
      class: 'switch',
      'aria-haspopup': 'menu',
      'aria-expanded': 'false',
      data: { testid: 'switch-user' },
      on: { click: open },
    },
    avatar(state, state.me),
    el(
      'span',
      { class: 'switch-name' },
      el('span', {}, 'You are'),
      el('strong', {}, nameOf(state, state.me)),
    ),
    icon('down', 'turn'),
  )
}

const role = (user) => (user.is_guest ? 'guest' : user.is_admin ? 'admin' : undefined)
