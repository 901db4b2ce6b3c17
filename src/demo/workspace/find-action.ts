/** Finding what a person pressed in a message or a view, and what they filled in. */
import { isObject } from './shape.ts'
import type { Block, Json, View } from './world.ts'

/** The action as the app is told of it; undefined where there is no such thing to press. */
export function findAction(
  blocks: Block[],
  action: string,
  value?: string,
  block?: string,
): Json | undefined {
  for (const { holder, element } of everyElement(blocks)) {
    if (element.action_id !== action || (block !== undefined && holder.block_id !== block)) continue
    const acted = act(element, value)
    if (acted) return { action_id: action, block_id: holder.block_id, type: element.type, ...acted }
  }
  return undefined
}

function* everyElement(blocks: Block[]): Generator<{ holder: Block; element: Json }> {
  for (const holder of blocks) {
    for (const list of [holder.elements, holder.actions, [holder.accessory, holder.element]]) {
      for (const element of Array.isArray(list) ? list : []) if (isObject(element)) yield { holder, element }
    }
    for (const inside of [holder.child_blocks, holder.type === 'carousel' ? holder.elements : undefined]) {
      if (Array.isArray(inside)) yield* everyElement(inside as Block[])
    }
  }
}

/** What pressing or choosing sends; undefined where the value is none of the element's. */
function act(element: Json, value?: string): Json | undefined {
  if (element.type === 'button' || element.type === 'icon_button') {
    if (value !== undefined && value !== element.value) return undefined
    const { text } = element
    return element.value === undefined ? { text } : { text, value: element.value }
  }
  if (element.type === 'feedback_buttons') {
    const buttons = [element.positive_button, element.negative_button].filter(isObject)
    const pressed = value === undefined ? buttons[0] : buttons.find((button) => button.value === value)
    return pressed && { text: pressed.text, value: pressed.value }
  }
  if (value === undefined && Array.isArray(element.options)) return undefined
  return filledIn(element, value)
}

/**
 * The state of a view after a person filled it in.
 *
 * @param values block id → action id → what was typed or chosen, or Slack's own object for it
 * @throws when something that must be filled in is empty
 */
export function stateOf(view: View, values: Json): View['state']['values'] {
  const state: View['state']['values'] = {}
  for (const block of view.blocks) {
    if (block.type !== 'input' || !isObject(block.element)) continue
    const { element } = block
    const id = String(block.block_id)
    const action = String(element.action_id)
    const given = isObject(values[id]) ? (values[id] as Json)[action] : undefined
    const filled = isObject(given)
      ? given
      : { type: element.type, ...filledIn(element, given ?? initial(element)) }
    const empty = Object.entries(filled).every(
      ([key, value]) =>
        key === 'type' || value === null || value === '' || (Array.isArray(value) && value.length === 0),
    )
    if (empty && block.optional !== true) {
      throw new Error(`${isObject(block.label) ? String(block.label.text) : 'A field'} must be filled in.`)
    }
    state[id] = { [action]: filled }
  }
  return state
}

function initial(element: Json): unknown {
  if (element.initial_value !== undefined) return element.initial_value
  if (isObject(element.initial_option)) return element.initial_option.value
  if (Array.isArray(element.initial_options)) {
    return element.initial_options.map((option) => (isObject(option) ? option.value : undefined))
  }
  if (Array.isArray(element.initial_users)) return element.initial_users
  return element.initial_date ?? element.initial_time ?? element.initial_date_time ?? element.initial_user
}

function filledIn(element: Json, given: unknown): Json {
  const type = String(element.type)
  const chosen = [given].flat().filter((one) => one !== undefined && one !== null && one !== '')
  const options = allOptions(element).filter((option) => chosen.includes(option.value))
  if (type === 'checkboxes' || type.startsWith('multi_')) {
    if (Array.isArray(element.options) || Array.isArray(element.option_groups))
      return { selected_options: options }
    return { [`selected_${type.slice(6).replace('_select', '')}`]: chosen }
  }
  if (['static_select', 'radio_buttons', 'overflow', 'external_select'].includes(type)) {
    return { selected_option: options[0] ?? null }
  }
  if (type.endsWith('_select')) return { [`selected_${type.replace(/s_select$/, '')}`]: chosen[0] ?? null }
  if (type === 'datepicker') return { selected_date: chosen[0] ?? null }
  if (type === 'datetimepicker')
    return { selected_date_time: chosen[0] === undefined ? null : Number(chosen[0]) }
  if (type === 'timepicker') return { selected_time: chosen[0] ?? null }
  return { value: chosen[0] ?? null }
}

function allOptions(element: Json): Json[] {
  const groups = Array.isArray(element.option_groups) ? element.option_groups.filter(isObject) : []
  return [element.options, ...groups.map((group) => group.options)]
    .flatMap((list) => (Array.isArray(list) ? list : []))
    .filter(isObject)
}
