/** What lies over the page: questions to confirm, menus, short notices. */
import { el, icon } from './dom.js'
import { textNodes } from './render-mrkdwn.js'

const layers = () => document.getElementById('layers')

/** Asks before something is done. Resolves true only when the person says so. */
export function confirmWith(spec, hands) {
  return new Promise((resolve) => {
    const danger = spec.style === 'danger'
    const yes = el(
      'button',
      {
        type: 'submit',
        value: 'yes',
        class: `button ${danger ? 'danger' : 'primary'}`,
        data: { testid: 'confirm-yes' },
      },
      spec.confirm?.text ?? 'Yes',
    )
    const no = el(
      'button',
      { type: 'submit', value: 'no', class: 'button', data: { testid: 'confirm-no' } },
      spec.deny?.text ?? 'Cancel',
    )
    const dialog = el(
      'dialog',
      {
        class: 'ask',
        'aria-label': spec.title?.text ?? 'Are you sure?',
        data: { testid: 'confirm' },
        on: {
          close: () => {
            resolve(dialog.returnValue === 'yes')
            dialog.remove()
          },
        },
      },
      el(
        'form',
        {
          on: {
            submit: (event) => {
              event.preventDefault()
              dialog.close(event.submitter?.value ?? 'no')
            },
          },
        },
        el('h2', {}, spec.title?.text ?? 'Are you sure?'),
        el('div', { class: 'ask-text' }, textNodes(spec.text, hands)),
        el('div', { class: 'dialog-foot' }, no, yes),
      ),
    )
    layers().append(dialog)
    dialog.showModal()
    const first = danger ? no : yes
    first.focus()
  })
}

/**
 * A menu below (or above) its button. Items are `{label, run, content?, href?, testid?, checked?}`; an item with `href` can
 * be opened in another tab the way links are.
 */
export function openMenu(anchor, items, note) {
  const close = () => {
    menu.remove()
    document.removeEventListener('pointerdown', outside, true)
    anchor.setAttribute('aria-expanded', 'false')
  }
  const outside = (event) => {
    if (!menu.contains(event.target)) close()
  }
  const pick = (item) => (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return
    event.preventDefault()
    close()
    anchor.focus()
    item.run()
  }
  const entries = items.map((item) =>
    el(
      item.href ? 'a' : 'button',
      {
        href: item.href,
        type: item.href ? undefined : 'button',
        role: item.checked === undefined ? 'menuitem' : 'menuitemradio',
        'aria-checked': item.checked === undefined ? undefined : String(item.checked),
        class: 'menu-item',
        data: { testid: item.testid ?? '' },
        on: { click: pick(item) },
      },
      item.content ?? item.label,
      item.checked && icon('check', 'end'),
    ),
  )
  const menu = el(
    'div',
    { class: 'menu', role: 'menu' },
    entries,
    note && el('p', { class: 'menu-note' }, note),
  )
  menu.addEventListener('keydown', (event) => moveIn(event, entries, close, anchor))
  layers().append(menu)
  placeBeside(menu, anchor)
  anchor.setAttribute('aria-expanded', 'true')
  document.addEventListener('pointerdown', outside, true)
  entries.find((entry) => entry.getAttribute('aria-checked') === 'true')?.focus()
  if (!menu.contains(document.activeElement)) entries[0]?.focus()
}

function moveIn(event, entries, close, anchor) {
  if (event.key === 'Escape' || event.key === 'Tab') {
    event.preventDefault()
    close()
    anchor.focus()
    return
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
  if (!step) return
  event.preventDefault()
  const at = entries.indexOf(document.activeElement)
  entries[(at + step + entries.length) % entries.length]?.focus()
}

function placeBeside(menu, anchor) {
  const box = anchor.getBoundingClientRect()
  const { offsetWidth: width, offsetHeight: height } = menu
  const below = box.bottom + 6 + height < innerHeight
  menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`
  menu.style.top = `${Math.max(8, below ? box.bottom + 6 : box.top - height - 6)}px`
}

/** A notice that leaves by itself after 7 s, or at a click. */
export function notice(sentence, kind = 'bad') {
  const toasts = document.getElementById('toasts')
  const toast = el(
    'div',
    { class: `toast ${kind}`, data: { testid: 'toast' } },
    el('span', {}, String(sentence)),
    el(
      'button',
      { type: 'button', class: 'tool', 'aria-label': 'Dismiss', on: { click: () => toast.remove() } },
      icon('close'),
    ),
  )
  while (toasts.children.length > 3) toasts.firstElementChild.remove()
  toasts.append(toast)
  toasts.hidePopover()
  toasts.showPopover()
  setTimeout(() => toast.remove(), 7000)
}
