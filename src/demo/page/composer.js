/** Where people write. Enter sends, Shift and Enter begin a new line, @ offers names, files can be dropped. */
import { openAttach } from './attach.js'
import { el, icon } from './dom.js'
import { openNames } from './names.js'

/**
 * Makes a composer. `send(text, files)` resolves true when both were taken, otherwise they come back into the box;
 * `recall()` is asked to edit the last message when the box is empty. `aim(key, placeholder)` points the composer at
 * another conversation; each keeps its own draft.
 */
export function openComposer({ id, testid, hands, send, recall }) {
  const drafts = new Map()
  const waiting = new Map()
  let key
  const names = openNames(hands)
  const attach = openAttach({ testid, complain: hands.complain, changed: () => grow() })
  const { area, button, hint, node } = draw(id, testid, names, attach)
  const grow = () => {
    area.style.height = 'auto'
    area.style.height = `${Math.min(area.scrollHeight, innerHeight * 0.4)}px`
    button.classList.toggle('ready', area.value.trim() !== '' || attach.get().length > 0)
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
    const files = attach.get()
    if ((text === '' && files.length === 0) || key === undefined) return
    const sentTo = key
    drafts.delete(key)
    put('')
    attach.set([])
    if (await send(text, files)) return
    if (key === sentTo && area.value === '') {
      attach.set(files)
      fill(text)
    } else {
      drafts.set(sentTo, text)
      waiting.set(sentTo, files)
    }
  }
  area.addEventListener('paste', (event) => {
    if (attach.take(event.clipboardData)) event.preventDefault()
  })
  node.addEventListener('dragover', (event) => event.preventDefault())
  node.addEventListener('drop', (event) => {
    event.preventDefault()
    attach.take(event.dataTransfer)
  })
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
      const files = attach.get()
      if (key !== undefined) waiting.set(key, files)
      const back = key === undefined ? files : (waiting.get(to) ?? [])
      key = to
      attach.set(back)
      put(drafts.get(to) ?? early)
    },
  }
}

function draw(id, testid, names, attach) {
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
  const box = el('div', { class: 'composer-box' }, attach.button, attach.input, area, button)
  return { area, button, hint, node: el('form', { class: 'composer' }, names.node, attach.row, box, hint) }
}
