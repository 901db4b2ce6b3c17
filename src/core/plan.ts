/** What a run shows of itself while it works: a title and a few rows, made of its steps alone. */
import { tellRead } from './reading.ts'
import type { Step, StepOf } from './run.ts'

type RowStatus = 'pending' | 'in_progress' | 'complete' | 'error'

/** One row. `id` stays the same from one drawing of the run to the next. */
export type PlanRow = { id: string; title: string; status: RowStatus }
export type Plan = { title: string; rows: PlanRow[]; done: boolean }

/** How far calls have come, in words by the id of the call; it is shown while they run and kept nowhere. */
export type Progress = ReadonlyMap<string, string>

/** More rows than this are folded into one that counts the oldest. */
const MOST_ROWS = 12
/** Characters of a server's question in a row. */
const ASKED = 70
/** Characters of a tool's title in a row. */
const TITLE = 60

/** A row before it is folded: `far` is how far its call has come, and is no part of what makes two rows the same. */
type Row = PlanRow & { far?: string | undefined }

/**
 * The plan of a run so far. Pure: the same steps give the same plan.
 * It holds names of tools, counts and what a server asked in vain, never arguments, results or words of a model.
 * `wait`: what it waits for, a sentence, where that is not a person.
 */
export function plan(steps: readonly Step[], progress: Progress = new Map(), wait?: string): Plan {
  const rows: Row[] = []
  steps.forEach((step, index) => {
    const row = rowOf(step, index + 1, steps, progress)
    if (row) rows.push(row)
  })
  const end = steps.at(-1)
  const done = end?.kind === 'finished'
  const waiting = rows.some((row) => row.title.startsWith('Waiting for approval'))
  const busy = rows.some((row) => row.status === 'in_progress' || row.status === 'pending')
  if (!done && wait) rows.push({ id: 'waiting', title: wait, status: 'in_progress' })
  else if (!done && !busy) rows.push({ id: 'thinking', title: 'Thinking', status: 'in_progress' })
  const folded = fold(rows)
  if (done) return { title: ending(end, folded), rows: folded, done }
  const title = wait ? 'Waiting' : waiting ? 'Waiting for approval' : 'Working on it'
  const current = folded.findLast((row) => row.status === 'in_progress')?.title ?? title
  const [first] = steps
  const oneLine = first?.kind === 'asked' && first.show !== undefined
  return oneLine ? { title: current, rows: [], done } : { title, rows: folded, done }
}

/** Whether whoever asked wants to see nothing of the work: only the answer, and what must be asked or waited for. */
export function isQuiet([first]: readonly Step[]): boolean {
  return first?.kind === 'asked' && first.show === 'none'
}

function rowOf(step: Step, n: number, steps: readonly Step[], progress: Progress): Row | undefined {
  const id = `step-${n}`
  switch (step.kind) {
    case 'recalled':
      return { id, title: searched(step), status: 'complete' }
    case 'read':
      return { id, title: tellRead(step), status: 'complete' }
    case 'proposed': {
      const row = callRow(step, steps)
      return { id, ...row, far: row.status === 'in_progress' ? progress.get(step.call.id) : undefined }
    }
    case 'steered':
      return { id, title: step.edit ? 'Read the new wording' : 'Read a new message', status: 'complete' }
    case 'stopped':
      return { id, title: 'Stopped', status: 'complete' }
    default:
      return undefined
  }
}

/** How far the search of a run went, in words. */
export function searched(step: StepOf<'recalled'>): string {
  if (step.sources === 0) return 'Found no source that everyone here may read'
  const sources = `Searched ${step.sources} ${step.sources === 1 ? 'source' : 'sources'}`
  return step.passages.length === 0 ? `${sources}, found nothing` : sources
}

/** A call goes through many steps and has one row: the row of its proposal. While it works, and when it did, its title is enough. */
function callRow(step: StepOf<'proposed'>, steps: readonly Step[]): Omit<PlanRow, 'id'> {
  const tool = toolTitle(step)
  if (step.verdict === 'deny') return { title: `Not allowed: ${tool}`, status: 'error' }
  if (step.verdict === 'invalid') return { title: `Had to correct a call: ${tool}`, status: 'complete' }
  const returned = steps.findLast((s) => s.kind === 'returned' && s.call === step.call.id)
  const last = steps.findLast(
    (s) => (s.kind === 'started' || s.kind === 'returned') && s.call === step.call.id,
  )
  if (returned?.kind === 'returned' && last === returned) {
    if (returned.outcome === 'input') return inputRow(tool, steps)
    const asked = askedOf(returned)
    if (returned.outcome === 'succeeded') return { title: `${tool}${asked}`, status: 'complete' }
    if (returned.outcome === 'failed') return { title: `Failed: ${tool}${asked}`, status: 'error' }
    return { title: `Outcome unknown: ${tool}${asked}`, status: 'error' }
  }
  const over = steps.at(-1)?.kind === 'finished'
  if (steps.some((s) => s.kind === 'started' && s.call === step.call.id)) {
    if (over) return { title: `Outcome unknown: ${tool}`, status: 'error' }
    return { title: tool, status: 'in_progress' }
  }
  if (over && (step.verdict === 'allow' || !refusal(step, steps)))
    return { title: `Not run: ${tool}`, status: 'error' }
  if (step.verdict === 'allow') return { title: tool, status: 'pending' }
  const refused = refusal(step, steps)
  if (refused) return { title: `${refused}: ${tool}`, status: 'error' }
  if (steps.some((s) => s.kind === 'decided' && s.approval === step.approval && s.outcome === 'approved')) {
    return { title: `Approved: ${tool}`, status: 'in_progress' }
  }
  return { title: `Waiting for approval: ${toolTitle(step, true)}`, status: 'in_progress' }
}

/** What its server asked and nobody could be asked, short. */
function askedOf({ asked }: StepOf<'returned'>): string {
  if (!asked) return ''
  const short = asked.length <= ASKED ? asked : `${asked.slice(0, ASKED - 1).toWellFormed()}…`
  return ` (it asked ${short} and was told cancel)`
}

/** A call whose server wants to know something first. */
function inputRow(tool: string, steps: readonly Step[]): Omit<PlanRow, 'id'> {
  if (steps.at(-1)?.kind === 'finished') return { title: `Not finished: ${tool}`, status: 'error' }
  return { title: `Waiting for an answer: ${tool}`, status: 'in_progress' }
}

/** The word for a decision that was not a yes. */
function refusal(step: StepOf<'proposed'>, steps: readonly Step[]): string | undefined {
  const decided = steps.findLast((s) => s.kind === 'decided' && s.approval === step.approval)
  if (decided?.kind !== 'decided') return undefined
  const words: Partial<Record<typeof decided.outcome, string>> = {
    rejected: 'Denied',
    expired: 'Expired',
    void: 'No longer valid',
    edited: 'Edited',
  }
  return words[decided.outcome]
}

/**
 * A catalogue name as people read it: `filesystem__write_file` becomes `write_file`, or
 * `write_file on filesystem`. What is not a letter, digit, `_`, `.` or `-` is replaced: a model may have made the name up.
 */
export function toolName(catalogueName: string, withServer = false): string {
  const clean = catalogueName.replace(/[^A-Za-z0-9_.-]/g, '_').slice(0, 128)
  const at = clean.indexOf('__')
  if (at <= 0 || at + 2 >= clean.length) return clean.slice(0, 64) || 'a tool'
  const tool = clean.slice(at + 2).slice(0, 64)
  return withServer ? `${tool} on ${clean.slice(0, at).slice(0, 40)}` : tool
}

/** What a tool does, as people say it: the title its server gave it when it was accepted, or its name in words. */
function toolTitle({ call, title }: StepOf<'proposed'>, withServer = false): string {
  const name = toolName(call.tool)
  const given = (title ?? '').replace(/[\s\p{C}<>&*_~`|]+/gu, ' ').trim()
  const told = given === '' ? inWords(name) : given.slice(0, TITLE).toWellFormed().trim()
  const server = withServer && toolName(call.tool, true).slice(name.length)
  return server ? `${told}${server}` : told
}

/** `write_file`, `list-open.issues` and `listOpenPRs` in words: `Write file`, `List open issues`, `List open PRs`. */
function inWords(name: string): string {
  const words = name
    .split(/[_.-]+|(?<=[a-z0-9])(?=[A-Z])/)
    .filter((word) => word !== '')
    .map((word) => (/^[A-Z][a-z]/.test(word) ? word.toLowerCase() : word))
    .join(' ')
  return words === '' ? 'A tool' : words.charAt(0).toUpperCase() + words.slice(1)
}

/** Rows in a row that say the same are one that counts them: done, running and about to run alike. */
function fold(rows: readonly Row[]): PlanRow[] {
  const folded: (Row & { times: number })[] = []
  for (const row of rows) {
    const last = folded.at(-1)
    if (last && last.title === row.title && (last.status === 'error') === (row.status === 'error')) {
      last.times += 1
      last.status = BUSIEST.find((status) => status === last.status || status === row.status) ?? row.status
      last.far = row.far ?? last.far
    } else folded.push({ ...row, times: 1 })
  }
  const titled = folded.map(({ id, title, status, far, times }) => {
    const counted = times > 1 ? `${title} x${times}` : title
    return { id, title: far && status === 'in_progress' ? `${counted}: ${far}` : counted, status }
  })
  if (titled.length <= MOST_ROWS) return titled
  const hidden = titled.length - MOST_ROWS + 1
  const earlier: PlanRow = { id: 'earlier', title: `${hidden} earlier steps`, status: 'complete' }
  return [earlier, ...titled.slice(hidden)]
}

/** Which status a row has that stands for several. */
const BUSIEST: readonly RowStatus[] = ['in_progress', 'pending', 'error', 'complete']

function ending(step: StepOf<'finished'>, rows: readonly PlanRow[]): string {
  const words = { answered: 'Done', stopped: 'Stopped', failed: 'Could not finish', refused: 'Not done' }
  const told = rows.map((row) => row.title).filter((title) => title !== 'Stopped')
  if (told.length === 0) return words[step.outcome]
  const shown = told
    .slice(0, 3)
    .map((title) => title.charAt(0).toLowerCase() + title.slice(1))
    .join(', ')
  const more = told.length > 3 ? ` and ${told.length - 3} more` : ''
  return `${words[step.outcome]}: ${shown}${more}`
}
