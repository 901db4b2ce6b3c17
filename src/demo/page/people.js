/** Names, colours and faces of people and channels. */
import { el, icon } from './dom.js'

const PALETTE = ['#b4552d', '#2f6f8f', '#7a5195', '#8a6d1f', '#3f7d4e', '#a63d57', '#4a5fa5']

/** The person's first name as others write it; the id where nobody knows them. */
export function nameOf(state, id) {
  const user = state.users.get(id)
  return user?.real_name || user?.name || (id === state.boot.bot ? 'Quorum' : id || 'Somebody')
}

/** The word after `@` that reaches this person. */
export const handleOf = (state, id) => state.users.get(id)?.name ?? id

export function channelName(state, id) {
  return state.channels.get(id)?.name ?? id
}

/** A face: initials on the person's colour, the mark for the agent. Decoration only: the name stands beside it. */
export function avatar(state, id, size = '') {
  const user = state.users.get(id)
  if (id === state.boot.bot || user?.is_bot) {
    return el('span', { class: `avatar agent ${size}`, 'aria-hidden': 'true' }, mark())
  }
  const name = nameOf(state, id)
  const initials = name
    .split(/\s+/)
    .slice(0, 2)
    .map((word) => [...word][0] ?? '')
    .join('')
    .toUpperCase()
  const face = el('span', { class: `avatar ${size}`, 'aria-hidden': 'true' }, initials)
  face.style.setProperty('--face', colourOf(user, id))
  return face
}

function colourOf(user, id) {
  const given = /^#?([0-9a-f]{6})$/i.exec(user?.color ?? '')
  if (given) return `#${given[1]}`
  const sum = [...String(id)].reduce((total, letter) => total + letter.codePointAt(0), 0)
  return PALETTE[sum % PALETTE.length]
}

/** The agent's mark: a circle of voices, not quite closed, and the one who speaks. */
export function mark() {
  return el('img', { src: '/page/mark.svg', alt: '', width: '100%', height: '100%' })
}

/** `#` or the sign of a channel shared with another organisation. */
export const channelSign = (channel) => icon(channel?.is_ext_shared ? 'people' : 'hash', 'sign')

/** A mention of a person, in running text. */
export function userMention(state, id) {
  const own = id === state.me
  return el(
    'span',
    { class: own ? 'mention own' : 'mention', data: { user: id } },
    `@${mentionName(state, id)}`,
  )
}

const mentionName = (state, id) =>
  id === state.boot.bot ? nameOf(state, id) : nameOf(state, id).split(' ')[0]

/** A mention of a channel: a button that goes there where the person is a member. */
export function channelMention(hands, id, label) {
  const channel = hands.state.channels.get(id)
  const name = `#${channel?.name ?? label ?? id}`
  if (!channel?.members.includes(hands.state.me)) return el('span', { class: 'mention' }, name)
  return el('button', { type: 'button', class: 'mention go', on: { click: () => hands.go(id) } }, name)
}
