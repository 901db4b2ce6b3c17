/** Tables: `table`, and `data_table` with its pages. */
import { el } from './dom.js'
import { withEmoji } from './emoji.js'
import { richText } from './render-rich-text.js'

/** A table block; its first row is the head. */
export function table(block, hands) {
  const [head = [], ...rows] = block.rows ?? []
  const settings = block.column_settings ?? []
  return el(
    'div',
    { class: 'table-box', tabindex: '0', role: 'region', 'aria-label': 'Table' },
    el(
      'table',
      {},
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          head.map((cell, n) => tableCell('th', cell, settings[n], hands)),
        ),
      ),
      el(
        'tbody',
        {},
        rows.map((row) => tableRow(row, settings, undefined, hands)),
      ),
    ),
  )
}

/** A data_table block: a caption, and `page_size` rows at a time. */
export function dataTable(block, hands, place) {
  const [head = [], ...rows] = block.rows ?? []
  const size = Math.max(1, block.page_size ?? 10)
  const pages = Math.max(1, Math.ceil(rows.length / size))
  const key = `page:${place.key}`
  const body = el('tbody')
  const where = el('span', { class: 'pages-now' })
  const turn = (page) => {
    hands.state.folds.set(key, page)
    body.replaceChildren(
      ...rows
        .slice(page * size, (page + 1) * size)
        .map((row) => tableRow(row, [], block.row_header_column_index, hands)),
    )
    where.textContent = `Page ${page + 1} of ${pages}`
    before.disabled = page === 0
    after.disabled = page === pages - 1
  }
  const now = () => Math.min(hands.state.folds.get(key) ?? 0, pages - 1)
  const before = el(
    'button',
    { type: 'button', class: 'quiet', on: { click: () => turn(now() - 1) } },
    'Previous',
  )
  const after = el('button', { type: 'button', class: 'quiet', on: { click: () => turn(now() + 1) } }, 'Next')
  turn(now())
  return el(
    'div',
    { class: 'table-box', tabindex: '0', role: 'region', 'aria-label': block.caption || 'Table' },
    el(
      'table',
      {},
      block.caption && el('caption', {}, withEmoji(block.caption)),
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          head.map((cell, n) => tableCell('th', cell, sideOf(rows[0]?.[n]), hands)),
        ),
      ),
      body,
    ),
    pages > 1 && el('div', { class: 'pages' }, before, where, after),
  )
}

/** Numbers stand to the right, and so does what is written above them. */
const sideOf = (cell) => (cell?.type === 'raw_number' ? { align: 'right' } : undefined)

function tableRow(row, settings, headerColumn, hands) {
  return el(
    'tr',
    {},
    (row ?? []).map((cell, n) => tableCell(n === headerColumn ? 'th' : 'td', cell, settings[n], hands)),
  )
}

function tableCell(tag, cell, setting, hands) {
  const side = (setting ?? sideOf(cell))?.align
  const content = cell?.type === 'rich_text' ? richText(cell, hands) : withEmoji(cell?.text ?? '')
  const known = ['left', 'center', 'right'].includes(side) ? side : undefined
  return el(tag, { class: known, scope: tag === 'th' ? 'col' : undefined }, content)
}
