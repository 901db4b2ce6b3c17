/** "How I got here": the steps of a run as a modal. */
import type { KnownBlock, ModalView, RichTextElement } from '@slack/types'
import { tellAmount } from '../../core/budget.ts'
import { searched, toolName } from '../../core/plan.ts'
import { tellRead, tellUnread } from '../../core/reading.ts'
import type { Step, StepOf } from '../../core/run.ts'
import type { Message } from '../message.ts'
import { moment, openButton, person, rich, section, span, text } from './elements.ts'
import { clean, cut, webAddress } from './text.ts'

/** Slack takes 100 blocks a view; two are kept for the head and the remark about what is left out. */
const MOST_STEPS = 98
const MOST_TITLES = 12

/** Slack takes 250,000 bytes a view. */
const MOST_CHARACTERS = 100_000

/** The button that opens the trace, for whoever asked for it by a word. */
export function traceMessage(run: string): Message {
  const block = openButton(`Run ${run.slice(0, 8)}`, 'trace', run, 'How I got here')
  return { text: `Run ${run.slice(0, 8)}`, blocks: [block] }
}

/** What the run was charged, attempts that failed included; money in millionths of a dollar. */
type Spent = { tokens: number; cost: number }

/**
 * Every step with its time, what it took, and what it read. Never arguments or results of tools.
 * @param more.readable ids of passages whose titles may be shown; all where it is left out
 */
export function traceView(
  run: string,
  steps: readonly Step[],
  { spent, readable }: { spent?: Spent | undefined; readable?: ReadonlySet<string> } = {},
): ModalView {
  const all = steps.map((step, index) => rowOf(step, index + 1, readable))
  let left = Math.max(0, steps.length - MOST_STEPS)
  while (JSON.stringify(all.slice(left)).length > MOST_CHARACTERS) left += 1
  const head = [rich(section(text(`Run ${cut(clean(run), 80)}: ${summary(steps, spent)}`)))]
  if (left > 0) head.push(rich(section(text(`The first ${left} steps are not shown.`, { italic: true }))))
  return {
    type: 'modal',
    callback_id: 'trace',
    title: { type: 'plain_text', text: 'How I got here' },
    close: { type: 'plain_text', text: 'Close' },
    blocks: [...head, ...all.slice(left)],
  }
}

function rowOf(step: Step, n: number, readable: ReadonlySet<string> | undefined): KnownBlock {
  const title = text(`${n}. ${titleOf(step)}`, { bold: true })
  const details = step.kind === 'recalled' ? recalledDetails(step, readable) : detailsOf(step)
  return rich(section(title, text(' · '), moment(step.at, 'second'), ...details))
}

function summary(steps: readonly Step[], spent: Spent | undefined): string {
  const answers = steps.filter((step) => step.kind === 'answered')
  const reported = answers.reduce(
    (sum, step) => sum + (step.usage ? step.usage.prompt + step.usage.completion : 0),
    0,
  )
  const took = Date.parse(steps.at(-1)?.at ?? '') - Date.parse(steps[0]?.at ?? '')
  const models = `${answers.length} ${answers.length === 1 ? 'call' : 'calls'} of the model`
  const time = Number.isFinite(took) ? `, ${span(Math.max(0, took))} from first step to last` : ''
  const cost = spent?.cost ? `, ${tellAmount('dollars', spent.cost)}` : ''
  return `${steps.length} steps, ${models}, ${spent?.tokens ?? reported} tokens${cost}${time}`
}

function titleOf(step: Step): string {
  switch (step.kind) {
    case 'asked':
      return 'Asked'
    case 'steered':
      return step.edit ? 'The question was changed' : 'A message came in'
    case 'read':
      return tellRead(step)
    case 'recalled':
      return searched(step)
    case 'answered':
      return step.calls.length > 0 ? 'The model asked for tools' : 'The model answered'
    case 'proposed': {
      const verdict = { allow: 'Allowed', ask: 'Needs approval', deny: 'Not allowed', invalid: 'Not valid' }
      return `${verdict[step.verdict]}: ${toolName(step.call.tool, true)}`
    }
    case 'shown':
      return 'The approval card was shown'
    case 'decided':
      return DECIDED[step.outcome]
    case 'started':
      return `Started ${toolName(step.tool, true)}`
    case 'returned':
      return RETURNED[step.outcome]
    case 'stopped':
      return 'Stopped'
    case 'finished':
      return `Finished: ${step.outcome}`
  }
}

const DECIDED: Record<StepOf<'decided'>['outcome'], string> = {
  approved: 'Approved',
  rejected: 'Denied',
  expired: 'Expired',
  void: 'No longer valid',
  counted: 'Approved by one of several',
  edited: 'The arguments were edited',
  done: 'Checked by a person: it ran',
  'not-done': 'Checked by a person: it did not run',
  again: 'To be run again',
  given: 'The question of the tool server was answered',
  declined: 'The question of the tool server was declined',
}

const RETURNED: Record<StepOf<'returned'>['outcome'], string> = {
  succeeded: 'It succeeded',
  failed: 'It failed',
  unknown: 'Outcome unknown',
  input: 'The tool server wants to know something',
}

function detailsOf(step: Step): RichTextElement[] {
  switch (step.kind) {
    case 'asked':
    case 'steered':
      return [text(' · '), person(step.user), line(step.text)]
    case 'read':
      return readDetails(step)
    case 'answered':
      return answeredDetails(step)
    case 'proposed':
      return step.why ? [line(step.why)] : []
    case 'decided':
      return [...(step.by ? [text(' · '), person(step.by)] : []), ...(step.why ? [line(step.why)] : [])]
    case 'returned':
      return [
        text(` · ${span(step.ms)} · ${step.text.length} characters`),
        ...(step.asked ? [line(`It was told cancel when it asked: ${step.asked}`)] : []),
      ]
    case 'stopped':
      return [text(' · '), person(step.by), ...(step.why ? [line(step.why)] : [])]
    case 'finished':
      return step.code ? [text(` · ${cut(clean(step.code), 80)}`)] : []
    default:
      return []
  }
}

/** Names of files, and what was not read; never what they hold. */
function readDetails(step: StepOf<'read'>): RichTextElement[] {
  const names = step.files.flatMap(({ name, text: told, of }) =>
    told === undefined ? [] : [of ? `${name} (the beginning, of about ${of} tokens)` : name],
  )
  const left = step.left ? [`${step.left} messages in between were left out`] : []
  const unread = tellUnread([{ ...step, n: 1 }], (name) => name)
  const lack = step.lack && step.call ? [step.lack] : []
  const lines = [...names.slice(0, MOST_TITLES), ...left, ...unread, ...lack]
  return [text(` · ${span(step.ms)}`), ...lines.map(line)]
}

function recalledDetails(
  step: StepOf<'recalled'>,
  readable: ReadonlySet<string> | undefined,
): RichTextElement[] {
  const elements: RichTextElement[] = [text(` · ${span(step.ms)}`), line(`“${cut(clean(step.query), 200)}”`)]
  const shown = readable ? step.passages.filter((one) => readable.has(one.passage)) : step.passages
  for (const passage of shown.slice(0, MOST_TITLES)) {
    const title = cut(clean(passage.title).replaceAll('\n', ' '), 90) || 'Untitled'
    const heading = cut(clean(passage.heading).replaceAll('\n', ' ').trim(), 90)
    const address = passage.link && passage.link.length < 300 ? webAddress(passage.link) : undefined
    elements.push(
      text(`\n[${passage.n}] `),
      address ? { type: 'link', url: address, text: title } : text(title),
    )
    if (heading && heading !== title) elements.push(text(`: ${heading}`))
  }
  const more = shown.length - MOST_TITLES
  if (more > 0) elements.push(text(`\nand ${more} more`))
  const hidden = step.passages.length - shown.length
  if (hidden > 0) elements.push(line(`${hidden} ${hidden === 1 ? 'passage' : 'passages'} you may not read`))
  if (step.degraded) elements.push(line(step.degraded))
  return elements
}

function answeredDetails(step: StepOf<'answered'>): RichTextElement[] {
  const tokens = step.usage
    ? `${step.usage.prompt} tokens read${step.usage.cached ? ` (${step.usage.cached} from cache)` : ''}, ${step.usage.completion} written`
    : 'tokens not reported'
  if (step.by?.tier === 'quotes') return [text(' · no model: passages only'), line(step.text)]
  const attempts = step.attempts > 1 ? ` · ${step.attempts} attempts` : ''
  const facts = `${cut(clean(step.model), 80)}${servedBy(step)} · ${tokens} · first token ${span(step.firstTokenMs)}, all ${span(step.ms)}${attempts}`
  return [
    text(` · ${facts}`),
    ...(step.withheld ? [line(tellWithheld(step.withheld))] : []),
    ...(step.text.trim() ? [line(step.text)] : []),
  ]
}

function tellWithheld(count: number): string {
  const tools = count === 1 ? '1 tool was' : `${count} tools were`
  return `${tools} withheld: people of another organisation can read here, and no rule says connect: allow`
}

/** Pool, revision and settings, and the beginning of the prompt's hash: what tells two answers' conditions apart. */
function servedBy({ by, promptHash }: StepOf<'answered'>): string {
  if (!by) return ''
  const { maxTokens, temperature, topP, seed } = by.settings ?? {}
  const facts = [
    `pool ${by.pool}${by.tier === 'cloud' ? ' (cloud)' : ''}`,
    by.revision && `revision ${cut(clean(by.revision), 40)}`,
    maxTokens !== undefined && `at most ${maxTokens} tokens`,
    temperature !== undefined && `temperature ${temperature}`,
    topP !== undefined && `top p ${topP}`,
    seed !== undefined && `seed ${seed}`,
    `prompt ${clean(promptHash).slice(0, 12)}`,
  ]
  return ` · ${facts.filter(Boolean).join(', ')}`
}

/** Words on a line of their own, short. */
function line(words: string): RichTextElement {
  return text(`\n${cut(clean(words).replaceAll('\n', ' ').trim(), 300)}`)
}
