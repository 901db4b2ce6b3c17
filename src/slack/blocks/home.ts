/** App Home: what is under way for a person, what waits for them, what they connected, and how the tools are. */
import type { HomeView, KnownBlock, RichTextElement } from '@slack/types'
import { tellAmount } from '../../core/budget.ts'
import { toolName } from '../../core/plan.ts'
import { languageName, type Preferences, TRACES } from '../../core/preferences.ts'
import { type ApprovalRow, approvalRow, openAt } from './approvals.ts'
import { type BudgetRow, budgetRow } from './budget.ts'
import { moment, openButton, rich, section, text } from './elements.ts'
import { type SourceRow, sourcesBlock } from './sources.ts'
import { clean, cut, webAddress } from './text.ts'

/** What a person's Home shows. Everything but `name` may be empty. */
export type HomeParts = {
  /** Our own name. */
  name: string
  runs: readonly { run: string; title: string; state: string }[]
  /** Approvals that wait for this person. */
  approvals: readonly ApprovalRow[]
  /** What tool servers want to know of this person; `link` leads to the message with the form. */
  questions: readonly { tool: string; until: string; link?: string | undefined }[]
  connections: readonly {
    server: string
    title: string
    per: 'user' | 'workspace'
    state: 'connected' | 'not-connected' | 'expired'
    url?: string | undefined
  }[]
  budgets: readonly BudgetRow[]
  servers: readonly { server: string; ready: boolean; said: string }[]
  sources: readonly SourceRow[]
  preferences: Preferences
  /** For admins: what was spent, and who waits for a worker. */
  load?:
    | {
        today: Spent
        month: Spent
        waiting: number
        since?: string | undefined
        underWay: number
        slots: number
      }
    | undefined
}

/** Money in millionths of a dollar. */
type Spent = { calls: number; tokens: number; cost: number }

/** Rows of one part at most: Slack takes 100 blocks. */
const MOST = 8

/** The Home tab. Nothing in it can ping; its links are Slack's own and those for connecting an account. */
export function homeView(parts: HomeParts): HomeView {
  const name = flat(parts.name, 140) || 'Quorum'
  const blocks: KnownBlock[] = [
    header(name),
    words(
      `Mention @${name} in a channel, or write to it under Messages. It answers from your team's knowledge, with its sources.`,
    ),
    words('It asks in the thread before it changes anything; whoever may decide presses Approve or Deny.'),
    words('/quorum works in every channel: ask, status, stop, approvals, sources, help …'),
    ...part('Under way for you', parts.runs, runRow),
    ...part('Waiting for your decision', parts.approvals, approvalRow),
    ...part('Waiting for your answer', parts.questions, questionRow),
    ...part('Accounts', parts.connections, connectionRow),
    ...part('Budgets', parts.budgets, budgetRow),
    ...knowledge(parts.sources),
    ...part('Tools', parts.servers, serverRow),
    ...preferences(parts.preferences),
    ...load(parts.load),
  ]
  return { type: 'home', blocks }
}

function part<T>(title: string, rows: readonly T[], row: (one: T) => KnownBlock[]): KnownBlock[] {
  if (rows.length === 0) return []
  const shown = rows.slice(0, MOST).flatMap(row)
  const more = rows.length - MOST
  return [header(title), ...shown, ...(more > 0 ? [words(`and ${more} more`)] : [])]
}

function runRow({ run, title, state }: HomeParts['runs'][number]): KnownBlock[] {
  return [
    rich(section(text(`“${flat(title, 120)}” `), text(flat(state, 120), { italic: true }))),
    actions([button('stop', 'Stop', run, 'danger')]),
  ]
}

function questionRow({ tool, until, link }: HomeParts['questions'][number]): KnownBlock[] {
  const elements: RichTextElement[] = [
    text(toolName(tool, true), { code: true }),
    text(' wants to know something · until '),
    moment(until),
  ]
  return [rich(section(...elements, ...openAt(link, 'Open the question')))]
}

const STATES = {
  connected: 'connected',
  'not-connected': 'not connected',
  expired: 'has expired; connect it again',
}

function connectionRow(one: HomeParts['connections'][number]): KnownBlock[] {
  const whose = one.per === 'workspace' ? ', for everybody' : ''
  const address = one.url ? webAddress(one.url) : undefined
  const buttons = [
    ...(address ? [{ ...button('link', 'Connect', one.server), url: address }] : []),
    ...(one.state === 'not-connected' ? [] : [button('disconnect', 'Disconnect', one.server)]),
  ]
  const line = rich(
    section(text(flat(one.title, 60), { bold: true }), text(`${whose}: ${STATES[one.state]}`)),
  )
  return [line, ...(buttons.length > 0 ? [actions(buttons)] : [])]
}

function knowledge(sources: HomeParts['sources']): KnownBlock[] {
  return sources.length === 0 ? [] : [header('Knowledge'), sourcesBlock(sources)]
}

function preferences({ trace, language }: Preferences): KnownBlock[] {
  const speech = language ? languageName(language) : 'the language of the question'
  const [first = '', ...rest] = TRACES[trace]
  const chosen = `You see ${first.toLowerCase()}${rest.join('')}. I answer you in ${speech}.`
  return [header('Preferences'), openButton(chosen, 'preferences', 'open', 'Change')]
}

function load(now: HomeParts['load']): KnownBlock[] {
  if (!now) return []
  const { today, month, waiting, since, underWay, slots } = now
  const line = since && waiting > 0 ? [text(', the first since '), moment(since)] : []
  return [
    header('For admins'),
    words(`Spent today: ${tellSpent(today)}. In 30 days: ${tellSpent(month)}.`),
    rich(
      section(
        text(
          `${underWay} at work in ${slots} slots; ${waiting === 0 ? 'nobody waits' : `${waiting} waiting for a worker`}`,
        ),
        ...line,
      ),
    ),
  ]
}

function tellSpent({ calls, tokens, cost }: Spent): string {
  const money = cost > 0 ? `, ${tellAmount('dollars', cost)}` : ''
  return `${tellAmount('tokens', tokens)}${money} in ${calls} ${calls === 1 ? 'call' : 'calls'} of models`
}

function serverRow({ server, ready, said }: HomeParts['servers'][number]): KnownBlock[] {
  const mark = ready ? 'ready' : 'not there'
  return [rich(section(text(flat(server, 60), { code: true }), text(` ${mark}: ${flat(said, 200)}`)))]
}

function button(action: string, label: string, value: string, style?: 'danger') {
  return {
    type: 'button' as const,
    action_id: action,
    value: value.slice(0, 2000),
    ...(style ? { style } : {}),
    text: { type: 'plain_text' as const, text: label, emoji: false },
  }
}

function actions(elements: ReturnType<typeof button>[]): KnownBlock {
  return { type: 'actions', elements }
}

function header(title: string): KnownBlock {
  return { type: 'header', text: { type: 'plain_text', text: title, emoji: false } }
}

function words(sentence: string): KnownBlock {
  return rich(section(text(sentence)))
}

function flat(said: string, most: number): string {
  return cut(clean(said).replaceAll('\n', ' ').trim(), most)
}
