/** Block Kit, as DOM nodes. A block we do not know, or that is broken, is a quiet chip and costs only itself. */
import { el, icon, link } from './dom.js'
import { withEmoji } from './emoji.js'
import { element } from './render-elements.js'
import { input } from './render-inputs.js'
import { markdown } from './render-markdown.js'
import { mrkdwn, textNodes } from './render-mrkdwn.js'
import { plan, taskCard } from './render-plan.js'
import { richText } from './render-rich-text.js'
import { dataTable, table } from './render-table.js'

/**
 * The nodes of blocks. `place` says where they stand: `{channel, message_ts}` or `{view_id}`, and a `key` of its own.
 * `hands` is what they can do: `state`, `click`, `complain`, `go`.
 */
export function renderBlocks(blocks, hands, place) {
  return (blocks ?? []).map((block, n) => {
    const draw = DRAW.get(block?.type)
    const at = { ...place, block_id: block?.block_id, key: `${place.key}/${n}` }
    if (!draw) return chip(`unsupported block: ${block?.type}`)
    try {
      return el('div', { class: `block ${block.type}` }, draw(block, hands, at))
    } catch {
      return chip(`broken block: ${block.type}`)
    }
  })
}

const chip = (words) => el('div', { class: 'block' }, el('span', { class: 'chip' }, words))

const DRAW = new Map([
  ['section', section],
  ['context', context],
  ['header', (block) => el('h3', {}, withEmoji(block.text?.text))],
  ['divider', () => el('hr')],
  ['actions', actions],
  ['context_actions', actions],
  ['rich_text', (block, hands) => richText(block, hands)],
  ['markdown', (block) => markdown(block.text)],
  ['plan', plan],
  ['task_card', (block, hands) => taskCard(block, hands)],
  ['table', (block, hands) => table(block, hands)],
  ['data_table', dataTable],
  ['image', (block) => picture(block)],
  ['input', (block, hands) => input(block, hands)],
  ['alert', alert],
  ['card', card],
  ['carousel', carousel],
  ['container', container],
])

function section(block, hands, place) {
  const fields = (block.fields ?? []).map((field) => el('div', { class: 'field' }, textNodes(field, hands)))
  const body = el(
    'div',
    { class: 'section-body' },
    block.text && el('div', { class: 'section-text' }, textNodes(block.text, hands)),
    fields.length > 0 && el('div', { class: 'fields' }, fields),
  )
  return [
    body,
    block.accessory && el('div', { class: 'accessory' }, drawElement(block.accessory, hands, place)),
  ]
}

function context(block, hands) {
  return (block.elements ?? []).map((part) =>
    part.type === 'image' ? picture(part) : el('span', { class: 'context-part' }, textNodes(part, hands)),
  )
}

function actions(block, hands, place) {
  return (block.elements ?? []).map((part) => drawElement(part, hands, place))
}

function drawElement(spec, hands, place) {
  if (spec.type === 'image') return picture(spec)
  return element(spec, hands, place) ?? el('span', { class: 'chip' }, `unsupported element: ${spec.type}`)
}

/** Pictures of this very server are shown; of all others only their description, so that nothing is fetched. */
function picture(block) {
  const alt = block.alt_text || block.title?.text || 'image'
  let own = false
  try {
    own = new URL(block.image_url).origin === location.origin
  } catch {
    own = false
  }
  if (own) return el('img', { src: block.image_url, alt, loading: 'lazy' })
  return el('span', { class: 'picture' }, icon('image'), alt)
}

const LEVELS = ['info', 'warning', 'error', 'success']

function alert(block, hands) {
  const level = LEVELS.includes(block.level) ? block.level : 'default'
  return el('div', { class: `alert-box ${level}`, role: 'note' }, textNodes(block.text, hands))
}

function card(block, hands, place) {
  return el(
    'div',
    { class: 'card-box' },
    block.hero_image && picture(block.hero_image),
    block.title && el('div', { class: 'card-title' }, textNodes(block.title, hands)),
    block.subtitle && el('div', { class: 'card-subtitle' }, textNodes(block.subtitle, hands)),
    block.body && el('div', { class: 'card-text' }, textNodes(block.body, hands)),
    block.actions &&
      el('div', { class: 'block actions' }, actions({ elements: block.actions }, hands, place)),
  )
}

function carousel(block, hands, place) {
  const cards = (block.elements ?? []).map((each) => el('li', {}, card(each, hands, place)))
  return el('ul', { class: 'carousel', tabindex: '0', 'aria-label': 'Cards' }, cards)
}

function container(block, hands, place) {
  const title = block.title ? withEmoji(block.title.text) : richText(block.rich_text_title, hands)
  const subtitle = block.subtitle && el('small', {}, textNodes(block.subtitle, hands))
  const inner = renderBlocks(block.child_blocks, hands, place)
  if (!block.is_collapsible)
    return el('div', { class: 'card-box' }, el('div', { class: 'card-title' }, title), subtitle, inner)
  const key = `container:${place.key}`
  return el(
    'details',
    {
      class: 'card-box',
      open: hands.state.folds.get(key) ?? !block.default_collapsed,
      on: { toggle: (event) => hands.state.folds.set(key, event.currentTarget.open) },
    },
    el('summary', {}, icon('right', 'turn'), el('span', { class: 'card-title' }, title), subtitle),
    inner,
  )
}

/** What Slack adds below a message: the pages behind its links. */
export function renderAttachments(attachments, hands) {
  return (attachments ?? []).map((attachment) =>
    el(
      'blockquote',
      { class: 'attachment' },
      attachment.title && el('div', { class: 'card-title' }, link(attachment.title_link, attachment.title)),
      mrkdwn(attachment.text, hands),
    ),
  )
}

/** The list of files under a message. */
export function renderFiles(files) {
  return (files ?? []).map((file) =>
    el(
      'div',
      { class: 'file' },
      icon('file'),
      link(file.permalink ?? file.url_private, file.title || file.name || 'file'),
    ),
  )
}
