/** The rules of Block Kit's elements and of the objects inside them. */
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
  string,
} from './shape.ts'

const kind = (name: string) => oneOf(name)

export const plainText = (max: number, min = 1) =>
  object({ type: kind('plain_text'), text: string(max, min), 'emoji?': boolean() })

const mrkdwn = (max: number, min = 1) =>
  object({ type: kind('mrkdwn'), text: string(max, min), 'verbatim?': boolean() })

export const anyText = (max: number) => byType(() => ({ plain_text: plainText(max), mrkdwn: mrkdwn(max) }))

export const mrkdwnText = (max: number) => byType(() => ({ mrkdwn: mrkdwn(max), plain_text: plainText(max) }))

const confirm = object({
  'title?': plainText(100),
  text: anyText(300),
  'confirm?': plainText(30),
  'deny?': plainText(30),
  'style?': oneOf('primary', 'danger'),
})

const option = object({
  text: anyText(75),
  'value?': string(150),
  'url?': string(3000),
  'description?': anyText(75),
})
const options = list(option, 100, 1)

/** What is chosen at first must be among what can be chosen, word for word. */
const amongOptions: Check = (value, pointer, report) => {
  if (!isObject(value)) return
  const groups = Array.isArray(value.option_groups) ? value.option_groups : []
  const lists = [value.options, ...groups.map((group) => (isObject(group) ? group.options : []))]
  const known = new Set(lists.flat().map((one) => JSON.stringify(one)))
  for (const key of ['initial_option', 'initial_options']) {
    const chosen = value[key] === undefined ? [] : [value[key]].flat()
    if (!chosen.every((one) => known.has(JSON.stringify(one))))
      report({ pointer: `${pointer}/${key}`, message: 'must be among the options' })
  }
}

/** A text of this form. */
const shaped =
  (form: RegExp, words: string): Check =>
  (value, pointer, report) => {
    if (typeof value !== 'string' || !form.test(value)) report({ pointer, message: `must be ${words}` })
  }

const tenDigits: Check = (value, pointer, report) => {
  if (!Number.isInteger(value) || String(value).length !== 10)
    report({ pointer, message: 'must be a Unix timestamp of ten digits' })
}
const optionGroups = list(object({ label: plainText(75), options }), 100, 1)

const image = {
  type: kind('image'),
  alt_text: string(2000),
  'image_url?': string(3000, 1),
  'slack_file?': anything,
}

export const button = object({
  type: kind('button'),
  text: plainText(75),
  'action_id?': string(255, 1),
  'value?': string(2000),
  'url?': string(3000),
  'style?': oneOf('primary', 'danger'),
  'confirm?': confirm,
  'accessibility_label?': string(75),
})

export const imageElement = object(image)

const actionable = { 'action_id?': string(255, 1), 'confirm?': confirm, 'focus_on_load?': boolean() }
const menu = { ...actionable, 'placeholder?': plainText(150) }
const many = { 'max_selected_items?': number(1, 100) }
const choice = { 'options?': options, 'option_groups?': optionGroups }
const typed = { ...menu, 'initial_value?': string(3000), 'dispatch_action_config?': anything }

const MENUS: Record<string, Check> = {
  static_select: also(
    object({ type: anything, ...menu, ...choice, 'initial_option?': option }),
    amongOptions,
  ),
  multi_static_select: also(
    object({ type: anything, ...menu, ...many, ...choice, 'initial_options?': list(option, 100, 1) }),
    amongOptions,
  ),
  external_select: object({
    type: anything,
    ...menu,
    'min_query_length?': anything,
    'initial_option?': option,
  }),
  multi_external_select: object({
    type: anything,
    ...menu,
    ...many,
    'min_query_length?': anything,
    'initial_options?': list(option, 100),
  }),
  users_select: object({ type: anything, ...menu, 'initial_user?': string(255) }),
  multi_users_select: object({ type: anything, ...menu, ...many, 'initial_users?': anything }),
  conversations_select: object({
    type: anything,
    ...menu,
    'initial_conversation?': string(255),
    'default_to_current_conversation?': boolean(),
    'response_url_enabled?': boolean(),
    'filter?': anything,
  }),
  multi_conversations_select: object({
    type: anything,
    ...menu,
    ...many,
    'initial_conversations?': anything,
    'default_to_current_conversation?': boolean(),
    'filter?': anything,
  }),
  channels_select: object({
    type: anything,
    ...menu,
    'initial_channel?': string(255),
    'response_url_enabled?': boolean(),
  }),
  multi_channels_select: object({ type: anything, ...menu, ...many, 'initial_channels?': anything }),
}

const CHOICES: Record<string, Check> = {
  checkboxes: also(
    object({
      type: anything,
      ...actionable,
      options: list(option, 10, 1),
      'initial_options?': list(option, 10, 1),
    }),
    amongOptions,
  ),
  radio_buttons: also(
    object({ type: anything, ...actionable, options: list(option, 10, 1), 'initial_option?': option }),
    amongOptions,
  ),
  overflow: object({ type: anything, ...actionable, options: list(option, 5, 1) }),
  datepicker: object({
    type: anything,
    ...menu,
    'initial_date?': shaped(/^\d{4}-\d\d-\d\d$/, 'a date, YYYY-MM-DD'),
  }),
  timepicker: object({ type: anything, ...menu, 'initial_time?': string(5), 'timezone?': string(100) }),
  datetimepicker: object({ type: anything, ...actionable, 'initial_date_time?': tenDigits }),
}

const INPUTS: Record<string, Check> = {
  plain_text_input: object({
    type: anything,
    ...typed,
    'multiline?': boolean(),
    'min_length?': number(0, 3000),
    'max_length?': number(1, 3000),
  }),
  email_text_input: object({
    type: anything,
    ...typed,
    'initial_value?': shaped(/^[^\s@]+@[^\s@]+$/, 'an email address'),
  }),
  url_text_input: object({
    type: anything,
    ...typed,
    'initial_value?': shaped(/^[a-z][a-z0-9+.-]*:\S+$/i, 'a URL'),
  }),
  number_input: object({
    type: anything,
    ...typed,
    is_decimal_allowed: boolean(),
    'min_value?': anything,
    'max_value?': anything,
  }),
  file_input: object({ type: anything, ...actionable, 'filetypes?': anything, 'max_files?': number(1, 10) }),
  rich_text_input: object({
    type: anything,
    ...menu,
    'initial_value?': anything,
    'dispatch_action_config?': anything,
  }),
}

const feedbackButton = object({
  text: plainText(75),
  value: string(2000),
  'accessibility_label?': string(75),
})

const feedback: Check = object({
  type: anything,
  'action_id?': string(255, 1),
  positive_button: feedbackButton,
  negative_button: feedbackButton,
})

const iconButton: Check = object({
  type: anything,
  icon: string(100, 1),
  text: plainText(75),
  'action_id?': string(255, 1),
  'value?': string(2000),
  'confirm?': confirm,
  'accessibility_label?': string(75),
  'visible_to_user_ids?': anything,
})

const workflowButton: Check = anything

export const actionElement = byType(() => ({
  button,
  ...MENUS,
  ...CHOICES,
  rich_text_input: INPUTS.rich_text_input ?? anything,
  workflow_button: workflowButton,
}))
export const accessory = byType(() => ({
  button,
  image: imageElement,
  ...MENUS,
  ...CHOICES,
  workflow_button: workflowButton,
}))
export const inputElement = byType(() => ({ ...MENUS, ...INPUTS, ...CHOICES }))
export const contextElement = byType(() => ({
  image: imageElement,
  plain_text: plainText(3000),
  mrkdwn: mrkdwn(3000),
}))
export const contextAction = byType(() => ({ feedback_buttons: feedback, icon_button: iconButton }))

const style = object({
  'bold?': boolean(),
  'italic?': boolean(),
  'strike?': boolean(),
  'code?': boolean(),
  'underline?': boolean(),
  'highlight?': boolean(),
  'client_highlight?': boolean(),
  'unlink?': boolean(),
})
const inline = (fields: Record<string, Check>) => object({ type: anything, 'style?': style, ...fields })

const richInline = byType(() => ({
  text: inline({ text: string(Number.POSITIVE_INFINITY, 1) }),
  link: inline({ url: string(3000, 1), 'text?': string(Number.POSITIVE_INFINITY), 'unsafe?': boolean() }),
  user: inline({ user_id: string(255, 1) }),
  channel: inline({ channel_id: string(255, 1) }),
  usergroup: inline({ usergroup_id: string(255, 1) }),
  team: inline({ team_id: string(255, 1) }),
  broadcast: inline({ range: oneOf('here', 'channel', 'everyone') }),
  emoji: inline({
    name: string(255, 1),
    'unicode?': string(255),
    'skin_tone?': anything,
    'url?': string(3000),
  }),
  date: inline({
    timestamp: anything,
    format: string(255, 1),
    'url?': string(3000),
    'fallback?': string(3000),
  }),
  color: inline({ value: string(20, 1) }),
}))

const inlines = list(richInline, Number.POSITIVE_INFINITY)
const border = { 'border?': number(0, 1) }
const section = object({ type: anything, elements: inlines })

const richElement = byType(() => ({
  rich_text_section: section,
  rich_text_list: object({
    type: anything,
    style: oneOf('bullet', 'ordered'),
    elements: list(
      byType(() => ({ rich_text_section: section })),
      Number.POSITIVE_INFINITY,
      1,
    ),
    'indent?': number(0, 8),
    'offset?': number(0, Number.POSITIVE_INFINITY),
    ...border,
  }),
  rich_text_quote: object({ type: anything, elements: inlines, ...border }),
  rich_text_preformatted: object({
    type: anything,
    elements: list(richInline, Number.POSITIVE_INFINITY, 1),
    'language?': string(50),
    ...border,
  }),
}))

export const richText = object({
  type: kind('rich_text'),
  'block_id?': string(255, 1),
  elements: list(richElement, Number.POSITIVE_INFINITY),
})

const cellText = { text: string(Number.POSITIVE_INFINITY, 1) }
export const tableCell = byType(() => ({
  rich_text: richText,
  raw_text: object({ type: anything, ...cellText }),
  raw_number: object({ type: anything, value: number(-Infinity, Infinity), ...cellText }),
}))

/** How a column of a table stands; null where it stands as usual. */
export const columnSetting: Check = (value, pointer, report) => {
  if (value !== null)
    object({ 'align?': oneOf('left', 'center', 'right'), 'is_wrapped?': boolean() })(value, pointer, report)
}

export const urlSource = object({ type: kind('url'), url: string(3000, 1), text: string(3000) })

/** An image names exactly one origin. */
const oneOrigin: Check = (value, pointer, report) => {
  if (!isObject(value)) return
  const origins = ['image_url', 'slack_file'].filter((key) => value[key] !== undefined)
  if (origins.length !== 1) report({ pointer, message: 'must provide exactly one of image_url, slack_file' })
}

export const imageBlock = also(
  object({ ...image, 'block_id?': string(255, 1), 'title?': plainText(2000) }),
  oneOrigin,
)
