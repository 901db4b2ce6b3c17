/** Every kind of block the page draws, with the same text in every place where text of others can stand. */
import type { Block } from '../../src/demo/workspace/world.ts'

const plain = (text: string) => ({ type: 'plain_text', text })
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text })
const section = (...elements: object[]) => ({ type: 'rich_text_section', elements })
const rich = (...elements: object[]) => ({ type: 'rich_text', elements })
const words = (text: string) => rich(section({ type: 'text', text }))
const option = (text: string, value: string) => ({ text: plain(text.slice(0, 75)), value })
const button = (text: string, action_id: string) => ({
  type: 'button',
  text: plain(text.slice(0, 75)),
  action_id,
  value: text,
})

/** Messages, each a list of blocks: Slack takes one table a message. `text` must stay below 120 characters. */
export function everyMessage(text: string): Block[][] {
  return [texts(text), richTexts(text), plans(text), elements(text), containers(text), ...tables(text)]
}

function texts(text: string): Block[] {
  return [
    { type: 'header', text: plain(text) },
    { type: 'section', text: mrkdwn(text), fields: [mrkdwn(text), plain(text)] },
    { type: 'section', text: plain(text), accessory: button(text, 'accessory') },
    { type: 'context', elements: [mrkdwn(text), plain(text)] },
    { type: 'divider' },
    {
      type: 'markdown',
      text: `# ${text}\n\n- ${text}\n\n> ${text}\n\n| a |\n|---|\n| ${text} |\n\n**${text}**`,
    },
    { type: 'image', image_url: 'https://example.invalid/a.png', alt_text: text },
  ]
}

function richTexts(text: string): Block[] {
  const link = { type: 'link', url: 'https://example.com/', text }
  const spans = [
    { type: 'text', text, style: { bold: true, italic: true, strike: true, code: true } },
    link,
    { type: 'user', user_id: 'U0BEN' },
    { type: 'channel', channel_id: 'C0OPS' },
    { type: 'usergroup', usergroup_id: 'S1' },
    { type: 'broadcast', range: 'here' },
    { type: 'emoji', name: text.slice(0, 100) },
    { type: 'date', timestamp: 1_700_000_000, format: text.slice(0, 100), fallback: text },
    { type: 'color', value: text.slice(0, 20) },
  ]
  return [
    rich(
      section(...spans),
      { type: 'rich_text_list', style: 'ordered', elements: [section({ type: 'text', text })] },
      { type: 'rich_text_list', style: 'bullet', indent: 1, elements: [section({ type: 'text', text })] },
      { type: 'rich_text_quote', elements: [{ type: 'text', text }] },
      { type: 'rich_text_preformatted', elements: [{ type: 'text', text }] },
    ),
  ]
}

function plans(text: string): Block[] {
  const task = (status: string) => ({
    type: 'task_card',
    task_id: status,
    title: text,
    status,
    details: words(text),
    output: words(text),
    sources: [{ type: 'url', url: 'https://example.com/', text }],
  })
  const tasks = ['complete', 'error', 'in_progress', 'pending'].map(task)
  return [{ type: 'plan', title: text, tasks }, { ...task('error') }]
}

function elements(text: string): Block[] {
  const options = [option(text, 'a'), option('B', 'b')]
  const feedback = { text: plain(text.slice(0, 75)), value: 'up' }
  return [
    {
      type: 'actions',
      elements: [
        { ...button(text, 'press'), style: 'primary' },
        { ...button(text, 'ask'), confirm: { title: plain(text.slice(0, 100)), text: mrkdwn(text) } },
        { type: 'static_select', action_id: 'choose', placeholder: plain(text), options },
        { type: 'users_select', action_id: 'who', placeholder: plain(text) },
        { type: 'overflow', action_id: 'more', options },
        { type: 'checkboxes', action_id: 'check', options },
        { type: 'radio_buttons', action_id: 'radio', options },
        { type: 'datepicker', action_id: 'day', placeholder: plain(text) },
      ],
    },
    {
      type: 'context_actions',
      elements: [
        {
          type: 'feedback_buttons',
          action_id: 'feedback',
          positive_button: feedback,
          negative_button: { ...feedback, value: 'down' },
        },
        { type: 'icon_button', icon: 'trash', action_id: 'icon', text: plain(text.slice(0, 75)) },
      ],
    },
  ]
}

function containers(text: string): Block[] {
  const card = { type: 'card', title: mrkdwn(text), subtitle: mrkdwn(text), body: mrkdwn(text) }
  return [
    { ...card, actions: [button(text, 'card')] },
    { type: 'carousel', elements: [card, card] },
    {
      type: 'container',
      title: plain(text),
      subtitle: mrkdwn(text),
      is_collapsible: true,
      child_blocks: [{ type: 'section', text: mrkdwn(text) }],
    },
    { type: 'data_visualization', title: 'A chart', chart: { type: 'pie' } },
  ]
}

function tables(text: string): Block[][] {
  const rows = [
    [
      { type: 'raw_text', text },
      { type: 'raw_text', text },
    ],
    [words(text), { type: 'raw_number', value: 1, text }],
  ]
  return [
    [{ type: 'table', rows }],
    [{ type: 'data_table', caption: text, rows: [...rows, rows[1]], page_size: 1 }],
  ]
}

/** A modal with every kind of input. */
export function everyInput(text: string): { type: 'modal' } & Record<string, unknown> {
  const options = [option(text, 'a'), option('B', 'b')]
  const input = (block_id: string, element: object, optional = false) => ({
    type: 'input',
    block_id,
    optional,
    label: plain(text),
    hint: plain(text),
    element: { ...element, action_id: 'it' },
  })
  return {
    type: 'modal',
    callback_id: 'everything',
    title: plain(text.slice(0, 24)),
    submit: plain(text.slice(0, 24)),
    close: plain(text.slice(0, 24)),
    blocks: [
      { type: 'alert', level: 'warning', text: mrkdwn(text) },
      input('words', { type: 'plain_text_input', placeholder: plain(text), initial_value: text }),
      input('lines', { type: 'plain_text_input', multiline: true, initial_value: text }),
      input('one', { type: 'static_select', options, placeholder: plain(text) }),
      input('some', { type: 'checkboxes', options }, true),
      input('either', { type: 'radio_buttons', options }),
      input('day', { type: 'datepicker' }, true),
      input('several', { type: 'multi_static_select', options, initial_options: options.slice(0, 1) }, true),
      input('moment', { type: 'datetimepicker', initial_date_time: 1_800_000_000 }, true),
      input('mail', { type: 'email_text_input', initial_value: 'ana@example.com' }, true),
      input('page', { type: 'url_text_input', initial_value: 'https://example.com/x' }, true),
      input('number', { type: 'number_input', is_decimal_allowed: true }, true),
    ],
  }
}
