/** Building DOM nodes. Data only ever becomes text nodes and attributes: nothing here parses HTML. */

const SVG = 'http://www.w3.org/2000/svg'

/**
 * One element. `class` and plain keys are attributes (false, null and undefined leave them out, true is empty),
 * `on` holds listeners, `data` holds data attributes. Children are nodes, strings, or nested lists of them.
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag)
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue
    if (key === 'on')
      for (const [name, listener] of Object.entries(value)) node.addEventListener(name, listener)
    else if (key === 'data')
      for (const [name, datum] of Object.entries(value)) node.dataset[name] = String(datum)
    else node.setAttribute(key, value === true ? '' : String(value))
  }
  append(node, children)
  return node
}

/** Appends nodes, strings and nested lists; null, undefined and false are skipped. */
export function append(node, children) {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue
    if (Array.isArray(child)) append(node, child)
    else node.append(child)
  }
}

/** The address if a person may safely follow it (absolute http, https or mailto), else undefined. */
export function safeUrl(url) {
  if (typeof url !== 'string') return undefined
  try {
    const parsed = new URL(url)
    return ['http:', 'https:', 'mailto:'].includes(parsed.protocol) ? parsed.href : undefined
  } catch {
    return undefined
  }
}

/** A link that opens beside the page; text that remembers its address where that is not safe to follow. */
export function link(url, children, props = {}) {
  const href = safeUrl(url)
  const title = 'This link is not shown as one: its address is not safe'
  if (!href) return el('span', { ...props, title, data: { address: url ?? '' } }, children)
  return el('a', { href, target: '_blank', rel: 'noopener noreferrer', ...props }, children)
}

const ICONS = {
  hash: 'M9.5 3.5 7 20.5M17 3.5l-2.5 17M4 8.5h16.5M3.5 15.5H20',
  home: 'M4 10.5 12 4l8 6.5V19a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 19zM9.5 20.5v-6h5v6',
  send: 'M4 12 20 4.5 15.5 20l-3.8-6.2zM11.7 13.8 20 4.5',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M14.5 5.5 8 12l6.5 6.5',
  menu: 'M4 6.5h16M4 12h16M4 17.5h16',
  down: 'M6.5 9.5 12 15l5.5-5.5',
  right: 'M9.5 6.5 15 12l-5.5 5.5',
  check: 'M5.5 12.5 10 17l8.5-10',
  cross: 'M7.5 7.5l9 9M16.5 7.5l-9 9',
  edit: 'M4.5 19.5 5.6 15 16 4.6l3.4 3.4L9 18.4zM13.5 7.1l3.4 3.4',
  trash: 'M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7M10.3 10.5v5.5M13.7 10.5v5.5',
  reply: 'M4.5 18.5v-11A2.5 2.5 0 0 1 7 5h10a2.5 2.5 0 0 1 2.5 2.5v6A2.5 2.5 0 0 1 17 16H8z',
  tab: 'M13 5h6v6M19 5l-8.5 8.5M10 6H6.5A1.5 1.5 0 0 0 5 7.5v10A1.5 1.5 0 0 0 6.5 19h10a1.5 1.5 0 0 0 1.5-1.5V14',
  stop: 'M6.5 6.5h11v11h-11z',
  up: 'M7.5 10.5v9H5a1 1 0 0 1-1-1v-7a1 1 0 0 1 1-1zM7.5 10.5 11.5 3.5a2 2 0 0 1 2 2.4L13 9.5h5a2 2 0 0 1 2 2.4l-1.1 6a2 2 0 0 1-2 1.6H7.5',
  eye: 'M3 12c2.2-4 5.200-6 9-6s6.800 2 9 6c-2.200 4-5.200 6-9 6s-6.800-2-9-6zM12 9.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5z',
  people:
    'M9 11.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM3 19.500c.5-3.200 2.700-5 6-5s5.500 1.800 6 5M16 5.200a3.200 3.200 0 0 1 0 6M17.500 14.800c2 .7 3.200 2.300 3.500 4.700',
  dots: 'M6 12h.01M12 12h.01M18 12h.01',
  image: 'M4 5.500h16v13H4zM4 16l4.500-4.500 4 4 2.500-2.500 5 4.500M15.500 9h.01',
  clip: 'M18.5 11 11.7 17.800a4 4 0 0 1-5.700-5.700l7.500-7.500a2.700 2.700 0 0 1 3.800 3.800l-7.400 7.400a1.300 1.300 0 0 1-1.900-1.900L14.500 7.400',
  ask: 'M4.500 18.500v-11A2.500 2.500 0 0 1 7 5h10a2.500 2.500 0 0 1 2.500 2.500v6A2.500 2.500 0 0 1 17 16H8zM10 8.800a2 2 0 1 1 2.600 1.900c-.4.1-.6.4-.6.8M12 13.500h.01',
  trace: 'M6 6h.01M6 12h.01M6 18h.01M10 6h9M10 12h9M10 18h6',
  file: 'M6.500 3.500h7l4 4v13h-11zM13.500 3.500v4h4',
}

/** A drawing of our own, hidden from assistive technology: the element around it carries the label. */
export function icon(name, extra = '') {
  const node = document.createElementNS(SVG, 'svg')
  node.setAttribute('viewBox', '0 0 24 24')
  node.setAttribute('class', `icon ${extra}`.trim())
  node.setAttribute('aria-hidden', 'true')
  const path = document.createElementNS(SVG, 'path')
  path.setAttribute('d', ICONS[name] ?? '')
  node.append(path)
  return node
}
