/** Where people write. Enter sends, Shift and Enter begin a new line, @ offers names. */
import { el, icon } from './dom.js'
import { avatar } from './people.js'

/**
 * Makes a composer. `send(text)` resolves true when the text was taken, otherwise the text comes back into the box.
 * `aim(key, placeholder)` points it at another conversation; each keeps its own draft.
 */
export function openComposer({ id, testid, hands, send, recall }) {
  const drafts = new Map()
  let key
  const names = nameMenu(hands)
  const area = el('textarea', {
    id,
    rows: '1',
    spellcheck: 'true',
    autocomplete: 'off',
    'aria-controls': names.node.id,
    'aria-autocomplete': 'list',
    data: { testid },
  })
  const button = el(
    'button',
    {
      type: 'submit',
      class: 'send',
      'aria-label': 'Send',
      title: 'Send (Enter)',
      data: { testid: `${testid}-send` },
    },
    icon('send'),
  )
  const grow = () => {
    area.style.height = 'auto'
    area.style.height = `${Math.min(area.scrollHeight, innerHeight * 0.4)}px`
    button.classList.toggle('ready', area.value.trim() !== '')
    hint.hidden = !area.value.startsWith('/')
  }
  const hint = el(
    'p',
    { class: 'composer-hint', hidden: true },
    el('code', {}, '/quorum'),
    ' takes ',
    ['ask', 'status', 'stop', 'help'].map((word, n) => [n > 0 && ', ', el('code', {}, word)]),
  )
  const submit = async () => {
    const text = area.value.trim()
    if (text === '') return
    const sentTo = key
    area.value = ''
    drafts.delete(key)
    names.hide()
    grow()
    if (await send(text)) return
    if (key === sentTo && area.value === '') fill(text)
    else drafts.set(sentTo, text)
  }
  const fill = (text) => {
    area.value = text
    drafts.set(key, text)
    grow()
    area.focus()
    area.setSelectionRange(text.length, text.length)
  }
  area.addEventListener('input', () => {
    drafts.set(key, area.value)
    grow()
    names.follow(area, area.value.slice(0, area.selectionStart))
  })
  area.addEventListener('blur', () => setTimeout(names.hide, 120))
  area.addEventListener('keydown', (event) => {
    if (event.isComposing) return
    if (names.key(event, area)) return
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      submit()
    } else if (event.key === 'ArrowUp' && area.value === '' && recall) {
      if (recall()) event.preventDefault()
    }
  })
  const node = el(
    'form',
    {
      class: 'composer',
      on: {
        submit: (event) => {
          event.preventDefault()
          submit()
        },
      },
    },
    names.node,
    el('div', { class: 'composer-box' }, area, button),
    hint,
  )
  const aim = (to, placeholder) => {
    area.placeholder = placeholder
    area.setAttribute('aria-label', placeholder)
    if (to === key) return
    key = to
    area.value = drafts.get(to) ?? ''
    names.hide()
    grow()
  }
  return { node, fill, aim, focus: () => area.focus() }
}

/** The list of names that opens after an @. */
function nameMenu(hands) {
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
  const draw = (area) => {
    node.replaceChildren(
      ...found.map((user, n) =>
        el(
          'li',
          {
            role: 'option',
            'aria-selected': String(n === chosen),
            on: {
              pointerdown: (event) => {
                event.preventDefault()
                complete(area, user)
              },
            },
          },
          avatar(hands.state, user.id, 'small'),
          el('strong', {}, user.real_name || user.name),
          el('span', { class: 'soft' }, `@${user.name}`),
        ),
      ),
    )
    node.hidden = found.length === 0
  }
  const complete = (area, user) => {
    const before = area.value.slice(0, area.selectionStart).replace(/@[\w.-]*$/, `@${user.name} `)
    area.value = before + area.value.slice(area.selectionStart)
    area.setSelectionRange(before.length, before.length)
    hide()
    area.dispatchEvent(new Event('input'))
  }
  const follow = (area, before) => {
    const word = /(?:^|[\s(])@([\w.-]{0,30})$/.exec(before)?.[1]?.toLowerCase()
    found = word === undefined ? [] : candidates(hands.state, word)
    chosen = 0
    draw(area)
  }
  const key = (event, area) => {
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
  }
  return { node, follow, key, hide }
}

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
