/** Where people write. Enter sends, Shift and Enter begin a new line, @ offers names. */
import { el, icon } from './dom.js'
import { openNames } from './names.js'

/**
 * Makes a composer. `send(text)` resolves true when the text was taken, otherwise the text comes back into the box;
 * `recall()` is asked to edit the last message when the box is empty. `aim(key, placeholder)` points the composer at
 * another conversation; each keeps its own draft.
 */
export function openComposer({ id, testid, hands, send, recall }) {
  const drafts = new Map()
  let key
  const names = openNames(hands)
  const { area, button, hint, node } = draw(id, testid, names)
  const grow = () => {
    area.style.height = 'auto'
    area.style.height = `${Math.min(area.scrollHeight, innerHeight * 0.4)}px`
    button.classList.toggle('ready', area.value.trim() !== '')
    hint.hidden = !area.value.startsWith('/')
  }
  const put = (text) => {
    area.value = text
    names.hide()
    grow()
  }
  const fill = (text) => {
    drafts.set(key, text)
    put(text)
    area.focus()
    area.setSelectionRange(text.length, text.length)
  }
  const submit = async () => {
    const text = area.value.trim()
    if (text === '' || key === undefined) return
    const sentTo = key
    drafts.delete(key)
    put('')
    if (await send(text)) return
    if (key === sentTo && area.value === '') fill(text)
    else drafts.set(sentTo, text)
  }
  area.addEventListener('input', () => {
    drafts.set(key, area.value)
    grow()
    names.follow(area, area.value.slice(0, area.selectionStart))
  })
  area.addEventListener('blur', () => setTimeout(names.hide, 120))
  area.addEventListener('keydown', (event) => {
    if (event.isComposing || names.key(event, area)) return
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      submit()
    } else if (event.key === 'ArrowUp' && area.value === '' && recall()) event.preventDefault()
  })
  node.addEventListener('submit', (event) => {
    event.preventDefault()
    submit()
  })
  return {
    node,
    fill,
    focus: () => area.focus(),
    aim(to, placeholder) {
      area.placeholder = placeholder
      area.setAttribute('aria-label', placeholder)
      if (to === key) return
      // What was written before the page knew where it is stays.
      const early = key === undefined ? area.value : ''
      key = to
      put(drafts.get(to) ?? early)
    },
  }
}

function draw(id, testid, names) {
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
  const words = ['ask', 'run', 'tools', 'prompts', 'status', 'stop', 'help'].map((word, n) => [
    n > 0 && ', ',
    el('code', {}, word),
  ])
  const hint = el('p', { class: 'composer-hint', hidden: true }, el('code', {}, '/quorum'), ' takes ', words)
  const box = el('div', { class: 'composer-box' }, area, button)
  return { area, button, hint, node: el('form', { class: 'composer' }, names.node, box, hint) }
}
