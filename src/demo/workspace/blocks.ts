/** Block Kit as Slack checks it: the rules of every block, and what a whole message or view may hold. */
import {
  accessory,
  actionElement,
  anyText,
  button,
  columnSetting,
  contextAction,
  contextElement,
  imageBlock,
  imageElement,
  inputElement,
  mrkdwnText,
  plainText,
  richText,
  tableCell,
  urlSource,
} from './elements.ts'
import {
  also,
  anything,
  boolean,
  byType,
  type Check,
  isObject,
  list,
  number,
  object,
  oneOf,
  type Problem,
  string,
} from './shape.ts'

type Surface = 'message' | 'modal' | 'home'

const id = { type: anything, 'block_id?': string(255, 1) }

const taskCard = object({
  ...id,
  task_id: string(255, 1),
  title: string(256, 1),
  status: oneOf('pending', 'in_progress', 'complete', 'error'),
  'details?': richText,
  'output?': richText,
  'sources?': list(urlSource, 50),
})

const section = also(
  object({
    ...id,
    'text?': anyText(3000),
    'fields?': list(anyText(2000), 10, 1),
    'accessory?': accessory,
    'expand?': boolean(),
  }),
  (value, pointer, report) => {
    if (isObject(value) && value.text === undefined && value.fields === undefined) {
      report({ pointer, message: 'must provide at least one of text, fields' })
    }
  },
)

const EVERYWHERE: Record<string, Check> = {
  section,
  actions: object({ ...id, elements: list(actionElement, 25, 1) }),
  context: object({ ...id, elements: list(contextElement, 10, 1) }),
  divider: object(id),
  header: object({ ...id, text: plainText(150), 'level?': number(1, 4) }),
  image: imageBlock,
  rich_text: richText,
  video: anything,
  input: object({
    ...id,
    label: plainText(2000),
    'hint?': plainText(2000),
    'optional?': boolean(),
    'dispatch_action?': boolean(),
    element: inputElement,
  }),
}

const card = also(
  object({
    ...id,
    'hero_image?': imageElement,
    'icon?': imageElement,
    'title?': mrkdwnText(150),
    'subtitle?': mrkdwnText(150),
    'body?': mrkdwnText(3000),
    'actions?': list(button, 25),
  }),
  (value, pointer, report) => {
    if (
      isObject(value) &&
      !['hero_image', 'title', 'actions', 'body'].some((key) => value[key] !== undefined)
    ) {
      report({ pointer, message: 'must provide at least one of hero_image, title, actions, body' })
    }
  },
)

const table = also(
  object({
    ...id,
    rows: list(list(tableCell, 20, 1), 100, 1),
    'column_settings?': list(columnSetting, 20),
  }),
  tableText,
)

const dataTable = also(
  object({
    ...id,
    caption: string(2000, 1),
    rows: list(list(tableCell, 20, 1), 201, 2),
    'page_size?': number(1, 100),
    'row_header_column_index?': number(0, 19),
  }),
  also(tableText, evenRows),
)

const dataVisualization: Check = object({
  ...id,
  'title?': string(50),
  chart: also(
    object({
      type: oneOf('line', 'bar', 'area', 'pie'),
      'series?': list(anything, 6),
      'segments?': anything,
      'axis_config?': anything,
    }),
    anything,
  ),
})

const MESSAGES: Record<string, Check> = {
  ...EVERYWHERE,
  markdown: object({ ...id, text: string(12_000, 1) }),
  plan: object({
    ...id,
    title: string(256, 1),
    'tasks?': list(
      byType(() => ({ task_card: taskCard })),
      50,
    ),
  }),
  task_card: taskCard,
  context_actions: object({ ...id, elements: list(contextAction, 5, 1) }),
  table,
  data_table: dataTable,
  data_visualization: dataVisualization,
  card,
  carousel: object({
    ...id,
    elements: list(
      byType(() => ({ card })),
      10,
      1,
    ),
  }),
  container: object({
    ...id,
    'title?': plainText(150),
    'rich_text_title?': richText,
    'subtitle?': anyText(150),
    child_blocks: list(
      byType(() => ({ ...EVERYWHERE, table })),
      10,
      1,
    ),
    'width?': oneOf('narrow', 'standard', 'wide', 'full'),
    'icon?': imageElement,
    'is_collapsible?': boolean(),
    'default_collapsed?': boolean(),
    'has_header_divider?': boolean(),
  }),
}

const MODALS: Record<string, Check> = {
  ...EVERYWHERE,
  alert: object({
    ...id,
    text: anyText(3000),
    'level?': oneOf('default', 'info', 'warning', 'error', 'success'),
  }),
}

const SURFACES: Record<Surface, { blocks: Record<string, Check>; max: number }> = {
  message: { blocks: MESSAGES, max: 50 },
  modal: { blocks: MODALS, max: 100 },
  home: { blocks: EVERYWHERE, max: 100 },
}

/** Everything Slack would refuse in these blocks; empty when it would take them. */
export function checkBlocks(blocks: unknown, surface: Surface, pointer = '/blocks'): Problem[] {
  const problems: Problem[] = []
  const report = (problem: Problem) => problems.push(problem)
  const { blocks: rules, max } = SURFACES[surface]
  list(
    byType(() => rules),
    max,
  )(blocks, pointer, report)
  if (!Array.isArray(blocks)) return problems
  checkIds(blocks, pointer, report)
  checkTables(blocks, pointer, report)
  return problems
}

/** Everything Slack would refuse in this view. */
export function checkView(view: unknown): Problem[] {
  const problems: Problem[] = []
  const report = (problem: Problem) => problems.push(problem)
  const common = {
    type: anything,
    blocks: anything,
    'private_metadata?': string(3000),
    'callback_id?': string(255),
    'external_id?': string(255),
  }
  const modal = object({
    ...common,
    title: plainText(24),
    'submit?': plainText(24),
    'close?': plainText(24),
    'clear_on_close?': boolean(),
    'notify_on_close?': boolean(),
    'submit_disabled?': boolean(),
  })
  byType(() => ({ modal, home: object(common) }))(view, '/view', report)
  if (!isObject(view)) return problems
  const surface = view.type === 'home' ? 'home' : 'modal'
  problems.push(...checkBlocks(view.blocks, surface, '/view/blocks'))
  const asks =
    Array.isArray(view.blocks) && view.blocks.some((block) => isObject(block) && block.type === 'input')
  if (surface === 'modal' && asks && view.submit === undefined) {
    report({ pointer: '/view', message: 'missing required field: submit (there are input blocks)' })
  }
  return problems
}

/** Whether all text of a message with markdown blocks is too much for one message. */
export function tooMuchMarkdown(blocks: unknown[]): boolean {
  const markdown = blocks.filter((block) => isObject(block) && block.type === 'markdown')
  return markdown.length > 0 && textLength(blocks) > 13_200
}

/** Slack takes a card whose body is too long, and then the message never appears. */
export function vanishes(blocks: unknown[]): boolean {
  return blocks.some(
    (block) =>
      isObject(block) &&
      block.type === 'card' &&
      isObject(block.body) &&
      String(block.body.text).length > 200,
  )
}

/** One table of either kind a message, also where it stands in a container. */
function checkTables(blocks: unknown[], pointer: string, report: (problem: Problem) => void): void {
  const nested = blocks.flatMap((block) =>
    isObject(block) && Array.isArray(block.child_blocks) ? block.child_blocks : [block],
  )
  const tables = nested.filter((block) => isObject(block) && /^(data_)?table$/.test(String(block.type)))
  if (tables.length > 1) report({ pointer, message: 'only_one_table_allowed' })
}

function tableText(value: unknown, pointer: string, report: (problem: Problem) => void): void {
  if (isObject(value) && textLength(value.rows) > 10_000)
    report({ pointer, message: 'tables may hold no more than 10000 characters' })
}

/** Every row of a data table has as many cells as its head, which holds words only. */
function evenRows(value: unknown, pointer: string, report: (problem: Problem) => void): void {
  const rows = isObject(value) && Array.isArray(value.rows) ? value.rows : []
  const [head] = rows
  if (!Array.isArray(head)) return
  if (rows.some((row) => Array.isArray(row) && row.length !== head.length))
    report({ pointer: `${pointer}/rows`, message: 'must have the same number of cells in every row' })
  if (head.some((cell) => isObject(cell) && cell.type === 'rich_text'))
    report({ pointer: `${pointer}/rows/0`, message: 'rich_text is not allowed in the header row' })
}

/** The length of every `text` in a piece of Block Kit. */
function textLength(value: unknown): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, entry) => sum + textLength(entry), 0)
  if (!isObject(value)) return 0
  let sum = 0
  for (const [key, entry] of Object.entries(value)) {
    sum += key === 'text' && typeof entry === 'string' ? entry.length : textLength(entry)
  }
  return sum
}

function checkIds(blocks: unknown[], pointer: string, report: (problem: Problem) => void): void {
  const seen = new Set<string>()
  blocks.forEach((block, index) => {
    if (!isObject(block)) return
    if (typeof block.block_id === 'string') {
      if (seen.has(block.block_id)) {
        report({
          pointer: `${pointer}/${index}/block_id`,
          message: `block_id "${block.block_id}" already exists`,
        })
      }
      seen.add(block.block_id)
    }
    const actions = new Set<string>()
    for (const element of Array.isArray(block.elements) ? block.elements : []) {
      const action = isObject(element) ? element.action_id : undefined
      if (typeof action !== 'string') continue
      if (actions.has(action)) {
        report({ pointer: `${pointer}/${index}/elements`, message: `action_id "${action}" already exists` })
      }
      actions.add(action)
    }
  })
}
