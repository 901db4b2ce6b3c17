/** The settings of a channel: told to whoever asks, and the modal in which they are changed. */
import type { InputBlock, ModalView, PlainTextOption } from '@slack/types'
import type { Settings } from '../../core/settings.ts'
import type { Message } from '../message.ts'
import type { About } from '../opening.ts'
import { moment, openButton, rich, section, text } from './elements.ts'
import { fallbackText } from './fallback.ts'
import { clean, cut } from './text.ts'

/** What can be chosen. `groups`: user groups with their names. */
export type Choices = {
  agents: readonly { name: string; about: string }[]
  tools: readonly { server: string; name: string }[]
  sources: readonly string[]
  groups: readonly { id: string; name: string }[]
}

/** Chosen in place of anything: nothing at all. */
export const NOTHING = '-'
/** Slack takes so many options of a menu, and so many characters of one. */
const MOST_OPTIONS = 100
const LONGEST_VALUE = 150

const FREE = 'Nothing chosen: all of them, as far as policy.yaml and everybody’s rights allow.'

/** The agent that is asked where nothing is settled comes first. */
export function settingsView(about: About, now: Settings, choices: Choices): ModalView {
  const people = (now.approvers ?? []).filter((id) => /^[UW]/.test(id))
  const groups = now.approvers?.filter((id) => id.startsWith('S'))
  const seen = now.sources?.length === 0 ? [] : now.sources?.filter((name) => choices.sources.includes(name))
  const blocks = [
    choices.agents.length > 1 ? agentInput(now.agent, choices.agents) : undefined,
    choices.tools.length > 0
      ? manyInput('tools', 'Tools that may be used here', now.tools, toolOptions(choices.tools))
      : undefined,
    choices.sources.length > 0
      ? manyInput('sources', 'Sources that are read here', seen, sourceOptions(choices.sources))
      : undefined,
    peopleInput(people),
    choices.groups.length > 0
      ? manyInput('groups', 'User groups who approve here', groups, groupOptions(choices.groups))
      : undefined,
  ]
  const intro =
    'What is chosen here only narrows what policy.yaml allows. It holds from the next question on, and is kept with who changed it.'
  return {
    type: 'modal',
    callback_id: 'settings',
    private_metadata: JSON.stringify(about),
    title: plain('Settings of the channel'),
    submit: plain('Save'),
    close: plain('Cancel'),
    blocks: [rich(section(text(intro))), ...blocks.filter((one) => one !== undefined)],
  }
}

function agentInput(now: string | undefined, agents: Choices['agents']): InputBlock {
  const options = agents
    .slice(0, MOST_OPTIONS)
    .map(({ name, about }) => option(name, about ? `${name}: ${about}` : name))
  const chosen = options.find(({ value }) => value === now) ?? options[0]
  return {
    type: 'input',
    block_id: 'agent',
    label: plain('Who answers here'),
    element: {
      type: 'static_select',
      action_id: 'value',
      options,
      ...(chosen ? { initial_option: chosen } : {}),
    },
  }
}

function manyInput(
  block: string,
  label: string,
  now: readonly string[] | undefined,
  all: PlainTextOption[],
): InputBlock {
  const chosen = now?.length === 0 && block !== 'groups' ? [NOTHING] : (now ?? [])
  // What was chosen and is not there any more, or has no room, must not be lost by saving.
  const others = chosen
    .filter((one) => !all.some(({ value }) => value === one))
    .map((one) => option(one, one))
  const options = [...others, ...all]
    .filter(({ value = '' }) => value.length <= LONGEST_VALUE)
    .slice(0, MOST_OPTIONS)
  const initial = options.filter(({ value = '' }) => chosen.includes(value))
  return {
    type: 'input',
    block_id: block,
    optional: true,
    label: plain(label),
    hint: plain(block === 'groups' ? 'Beside the people above.' : FREE),
    element: {
      type: 'multi_static_select',
      action_id: 'value',
      options,
      ...(initial.length > 0 ? { initial_options: initial } : {}),
    },
  }
}

function toolOptions(tools: Choices['tools']): PlainTextOption[] {
  const servers = [...new Set(tools.map(({ server }) => server))]
  const whole = servers.map((server) => option(`${server}__*`, `all of ${server}`))
  const each = tools.map(({ name }) => option(name, name))
  const fits = 1 + whole.length + each.length <= MOST_OPTIONS
  return [option(NOTHING, 'No tool at all'), ...whole, ...(fits ? each : [])]
}

function sourceOptions(sources: Choices['sources']): PlainTextOption[] {
  return [option(NOTHING, 'No source at all'), ...sources.map((name) => option(name, name))]
}

function groupOptions(groups: Choices['groups']): PlainTextOption[] {
  return groups.map(({ id, name }) => option(id, name))
}

function peopleInput(people: readonly string[]): InputBlock {
  return {
    type: 'input',
    block_id: 'people',
    optional: true,
    label: plain('People who approve here'),
    hint: plain(
      'Of those whom policy.yaml names for a tool. Where it names nobody, whoever asked decides as ever.',
    ),
    element: {
      type: 'multi_users_select',
      action_id: 'value',
      ...(people.length > 0 ? { initial_users: [...people] } : {}),
    },
  }
}

/** What holds here, in lines; with the button that changes it for those who may. */
export function settingsMessage(
  lines: readonly string[],
  last: { who: string; at: string } | undefined,
  change: string | undefined,
): Message {
  const changed = last ? [text(`\nLast changed by ${flat(last.who)}, `), moment(last.at)] : []
  const blocks = [
    rich(section(text(lines.map(flat).join('\n')), ...changed)),
    ...(change ? [openButton('You may change this.', 'settings', change, 'Change')] : []),
  ]
  return { text: fallbackText(blocks), blocks }
}

function option(value: string, label: string): PlainTextOption {
  return { value, text: plain(cut(flat(label), 75) || ' ') }
}

function plain(words: string) {
  return { type: 'plain_text' as const, text: words, emoji: false }
}

function flat(said: string): string {
  return cut(clean(said).replaceAll('\n', ' ').trim(), 500)
}
