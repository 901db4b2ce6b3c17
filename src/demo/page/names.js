/** The list of names that opens while somebody writes an @. */
import { el } from './dom.js'
import { avatar } from './people.js'

/**
 * Makes the list. `follow(area, before)` is told what stands before the cursor after every letter, `key(event, area)` is
 * asked first about every key and says whether it was meant for the list, `hide` closes it.
 */
export function openNames(hands) {
  const node = el('ul', {
    class: 'names',
    role: 'listbox',
    'aria-label': 'People',
    id: `names-${crypto.randomUUID()}`,
    hidden: true,
  })
  let found = []
  let chosen = 0
  const hide = () => {
    node.hidden = true
    found = []
  }
  const complete = (area, user) => {
    const before = area.value.slice(0, area.selectionStart).replace(/@[\w.-]*$/, `@${user.name} `)
    area.value = before + area.value.slice(area.selectionStart)
    area.setSelectionRange(before.length, before.length)
    hide()
    area.dispatchEvent(new Event('input'))
  }
  const draw = (area) => {
    const pick = (user) => (event) => {
      event.preventDefault()
      complete(area, user)
    }
    node.replaceChildren(...found.map((user, n) => option(hands.state, user, n === chosen, pick(user))))
    node.hidden = found.length === 0
  }
  return {
    node,
    hide,
    follow(area, before) {
      const word = /(?:^|[\s(])@([\w.-]{0,30})$/.exec(before)?.[1]?.toLowerCase()
      found = word === undefined ? [] : candidates(hands.state, word)
      chosen = 0
      draw(area)
    },
    key(event, area) {
      if (found.length === 0) return false
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
      if (step) {
        chosen = (chosen + step + found.length) % found.length
        draw(area)
      } else if (event.key === 'Enter' || event.key === 'Tab') complete(area, found[chosen])
      else if (event.key === 'Escape') hide()
      else return false
      event.preventDefault()
      return true
    },
  }
}

const option = (state, user, selected, pick) =>
  el(
    'li',
    { role: 'option', 'aria-selected': String(selected), on: { pointerdown: pick } },
    avatar(state, user.id, 'small'),
    el('strong', {}, user.real_name || user.name),
    el('span', { class: 'soft' }, `@${user.name}`),
  )

/** The agent first; nobody where the name is already written whole. */
function candidates(state, word) {
  const users = state.boot.users.filter((user) => user.id !== state.me)
  if (users.some((user) => user.name.toLowerCase() === word)) return []
  return users
    .filter((user) =>
      `${user.name} ${user.real_name ?? ''}`
        .toLowerCase()
        .split(' ')
        .some((part) => part.startsWith(word)),
    )
    .sort((a, b) => Number(b.id === state.boot.bot) - Number(a.id === state.boot.bot))
    .slice(0, 6)
}
