/** What a run still has to read before the model is asked. Pure. */
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
  const done = read.length > 0 ? `Read ${read.join(' and ')}` : ''
  const failed = unread > 0 ? `${count(unread, 'file')} could not be read` : ''
  return [done, failed].filter((part) => part !== '').join(', ') || 'Found nothing to read'
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}

/** One line for each file that was not read, and for what else was not, in words for people; `name` makes a name safe to show. */
export function tellUnread(steps: readonly Numbered[], name: (of: string) => string): string[] {
  return steps.flatMap((step) => {
    if (step.kind !== 'read') return []
    const files = step.files.flatMap((file) =>
      file.why === undefined ? [] : [`I could not read ${name(file.name)}: ${file.why}.`],
    )
    return step.lack ? [...files, `${step.lack}.`] : files
  })
}
