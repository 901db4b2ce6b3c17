/** A scrolling column that stays at its end while the reader is there, and leaves them alone where they are not. */
import { el, icon } from './dom.js'

/** `around(key, change)` runs a change of the content and then puts the scroll position right; a new key starts at the end. */
export function openScroller(children) {
  const inner = el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'log', 'aria-live': 'polite', 'aria-label': 'Messages' },
    children,
  )
  const jump = el(
    'button',
    { type: 'button', class: 'jump', hidden: true, on: { click: () => toEnd() } },
    icon('down'),
    'Newest',
  )
  const node = el('div', { class: 'scroller' }, inner, jump)
  let shown
  let following = true
  const toEnd = () => {
    inner.scrollTop = inner.scrollHeight
  }
  const atEnd = () => inner.scrollHeight - inner.scrollTop - inner.clientHeight < 60
  inner.addEventListener('scroll', () => {
    following = atEnd()
    jump.hidden = following
  })
  new ResizeObserver(() => {
    if (following) toEnd()
  }).observe(inner)
  return {
    node,
    around(key, change) {
      const follow = following || key !== shown
      shown = key
      change()
      if (follow) {
        following = true
        toEnd()
      }
      jump.hidden = following || atEnd()
    },
  }
}
