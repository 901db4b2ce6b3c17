/** What a run reads beside knowledge: what comes with a message, and by the model's wish what a person has open. Pure. */
import type { ChatTool } from './chat.ts'
import type { Numbered, StepOf } from './run.ts'

/** A message that something came with. */
export type Bearer = (StepOf<'asked'> | StepOf<'steered'>) & { n: number }

/** The first message whose files, or whose thread, were not read yet. */
export function openReading(steps: readonly Numbered[]): Bearer | undefined {
  const read = new Set(steps.flatMap((s) => (s.kind === 'read' && s.call === undefined ? [s.of] : [])))
  return steps.find((s): s is Bearer => isBearer(s) && needsReading(s) && !read.has(s.n))
}

function isBearer(step: Numbered): step is Bearer {
  return step.kind === 'asked' || step.kind === 'steered'
}

function needsReading(step: Bearer): boolean {
  if ((step.files?.length ?? 0) > 0) return true
  return step.kind === 'asked' && (step.before === true || step.about !== undefined)
}

/** What the model is offered where a person has something open beside their direct message; it needs no approval. */
export const VIEW: ChatTool = {
  name: 'slack__open_now',
  description:
    'Reads what the person has open in Slack beside this conversation, a channel or a thread. Call it when they speak ' +
    'of this channel, this thread, this message, or of something that is not said here.',
  parameters: { type: 'object', properties: {} },
}

/** Whether a person said of something open beside their message; the newest such message. */
export function viewer(steps: readonly Numbered[]): Bearer | undefined {
  return steps.findLast((s): s is Bearer => isBearer(s) && s.viewing !== undefined)
}

/** The first look at it that the last answer asks for and that was not taken; once is enough for a run. */
export function openView(
  steps: readonly Numbered[],
  answer: StepOf<'answered'> | undefined,
): { call: string; refused?: string } | undefined {
  const taken = new Set(
    steps.flatMap((s) =>
      s.kind === 'read' && s.call !== undefined ? [s.call] : s.kind === 'proposed' ? [s.call.id] : [],
    ),
  )
  const open = answer?.calls.find((call) => call.tool === VIEW.name && !taken.has(call.id))
  if (!answer || !open) return undefined
  if (answer.finish === 'length') return { call: open.id, refused: 'Not read: the answer was cut off' }
  const seen = steps.some((s) => s.kind === 'read' && s.call !== undefined)
  return { call: open.id, ...(seen ? { refused: 'It was read already: see above' } : {}) }
}

/** What a search may lean on where the question says little: how the thread began, and what was said last. */
export function leanOn(steps: readonly Numbered[]): string | undefined {
  const read = steps.find((s) => s.kind === 'read' && s.said !== undefined)
  const said = read?.kind === 'read' ? (read.said ?? []) : []
  const [first, last] = [said[0], said.length > 1 ? said.at(-1) : undefined]
  const words = [first, last].flatMap((one) => (one ? [one.text.slice(0, 300)] : []))
  return words.length > 0 ? words.join('\n') : undefined
}

/** What was read, in a few words for people: "12 messages of the thread and 2 files". */
export function tellRead(step: StepOf<'read'>): string {
  const messages = step.said?.length ?? 0
  const files = step.files.filter((file) => file.why === undefined).length
  const unread = step.files.length - files
  const read = [
    ...(step.said ? [count(messages, step.call ? 'message' : 'earlier message')] : []),
    ...(files > 0 ? [count(files, 'file')] : []),
  ]
  const where = step.call && step.said ? ' of what is open' : ''
  const done = read.length > 0 ? `Read ${read.join(' and ')}${where}` : ''
  const failed = unread > 0 ? `${count(unread, 'file')} could not be read` : ''
  return [done, failed].filter((part) => part !== '').join(', ') || 'Found nothing to read'
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

/** One line for each file that was not read, and for what else was not unasked, in words for people; `name` makes a name safe to show. */
export function tellUnread(steps: readonly Numbered[], name: (of: string) => string): string[] {
  return steps.flatMap((step) => {
    if (step.kind !== 'read') return []
    const files = step.files.flatMap((file) =>
      file.why === undefined ? [] : [`I could not read ${name(file.name)}: ${file.why}.`],
    )
    return step.lack && step.call === undefined ? [...files, `${step.lack}.`] : files
  })
}
