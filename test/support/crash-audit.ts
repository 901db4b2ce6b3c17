/** After the storm: is every question answered once, every call made at most once, every word in the thread true? */
import { readFile } from 'node:fs/promises'
import type pg from 'pg'
import { callState } from '../../src/core/decide.ts'
import { type Numbered, Step, type StepOf } from '../../src/core/run.ts'
import type { Workspace } from '../../src/demo/workspace/open.ts'
import { type Case, hasButton } from './crash-cases.ts'

type RunRow = {
  id: string
  message: string
  active: boolean
  n: number
  steps: Numbered[]
  approvals: Record<string, string>
}

export type Audit = {
  /** Everything that is not as it must be, in words. */
  wrong: string[]
  /** Calls by what became of them. */
  calls: Record<string, number>
}

/** Compares what was asked, what is stored, what the tool did and what the threads show. */
export async function audit(
  pool: pg.Pool,
  workspace: Workspace,
  cases: readonly Case[],
  effectsFile: string,
): Promise<Audit> {
  const runs = await readRuns(pool)
  const effects = countLines(await readFile(effectsFile, 'utf8').catch(() => ''))
  const wrong: string[] = []
  const calls: Record<string, number> = {}
  for (const one of cases) {
    const own = runs.filter((run) => run.message === one.ts)
    const note = (what: string) => wrong.push(`case ${one.n} (${one.kind}): ${what}`)
    if (own.length !== 1) note(`${own.length} runs`)
    for (const run of own) {
      checkSteps(run, note)
      for (const step of run.steps) {
        if (step.kind !== 'proposed') continue
        const state = checkCall(run, step, effects, one, note)
        calls[state] = (calls[state] ?? 0) + 1
      }
    }
    checkThread(workspace, one, own[0], note)
  }
  if (runs.length !== cases.length) wrong.push(`${runs.length} runs for ${cases.length} questions`)
  const waiting = await pool.query('select key from inbox where handled_at is null')
  if (waiting.rowCount) wrong.push(`${waiting.rowCount} rows of the inbox are not handled`)
  return { wrong, calls }
}

/** How many runs are under way and how many rows of the inbox wait. */
export async function countOpen(pool: pg.Pool): Promise<number> {
  const found = await pool.query(
    `select (select count(*) from runs where active)::int + (select count(*) from inbox where handled_at is null)::int as n`,
  )
  return found.rows[0].n
}

async function readRuns(pool: pg.Pool): Promise<RunRow[]> {
  const found = await pool.query(
    `select r.id, r.message, r.active, r.n,
       (select json_agg(json_build_object('n', s.n, 'body', s.body) order by s.n) from steps s where s.run = r.id) as steps,
       (select coalesce(json_object_agg(a.id, a.state), '{}') from approvals a where a.run = r.id) as approvals
     from runs r`,
  )
  return found.rows.map((row) => ({
    ...row,
    steps: row.steps.map((s: { n: number; body: unknown }) => ({ ...Step.parse(s.body), n: s.n })),
  }))
}

function checkSteps(run: RunRow, note: (what: string) => void): void {
  const { steps } = run
  const ends = steps.filter((s) => s.kind === 'finished')
  if (steps.some((s, i) => s.n !== i + 1) || run.n !== steps.length)
    note(`steps ${steps.map((s) => s.n)} of ${run.n}`)
  if (steps[0]?.kind !== 'asked') note('asked is not first')
  if (steps.filter((s) => s.kind === 'asked').length !== 1) note('asked more than once')
  if (run.active) note('is not over')
  if (ends.length !== 1 || steps.at(-1)?.kind !== 'finished')
    note(`${ends.length} ends, ${steps.at(-1)?.kind} last`)
  for (const end of ends)
    if (end.kind === 'finished' && end.outcome !== 'answered') note(`${end.outcome}: ${end.text}`)
}

/** One call against the steps around it and its effects; gives where it stands. */
function checkCall(
  run: RunRow,
  proposed: StepOf<'proposed'> & { n: number },
  effects: Map<string, number>,
  one: Case,
  note: (what: string) => void,
): string {
  const { call, approval = '' } = proposed
  const state = callState(run.steps, proposed)
  const count = effects.get((call.args as { id: string }).id) ?? 0
  const started = run.steps.filter((s) => s.kind === 'started' && s.call === call.id)
  const returned = run.steps.filter((s) => s.kind === 'returned' && s.call === call.id)
  const decided = run.steps.filter((s) => s.kind === 'decided' && s.approval === approval)
  const about = `${call.id} ${state}:`
  const asks = call.tool === 'desk__book'

  if (proposed.verdict !== (asks ? 'ask' : 'allow')) note(`${about} verdict ${proposed.verdict}`)
  const lost = state === 'done' || state === 'not-done'
  const stored = lost ? 'unknown' : state
  if (run.approvals[approval] !== stored) note(`${about} its approval says ${run.approvals[approval]}`)
  if (started.length > 1 || returned.length > 1)
    note(`${about} ${started.length} starts, ${returned.length} returns`)
  if (decided.length > (asks ? 1 : 0) + (lost ? 1 : 0)) note(`${about} ${decided.length} decisions`)
  const [start, back, word] = [started[0]?.n ?? 0, returned[0]?.n ?? 0, decided[0]?.n ?? 0]
  if (back && !(start && start < back)) note(`${about} returned before it started`)
  if (start && start < proposed.n) note(`${about} started before it was proposed`)
  if (start && asks && !(word && word < start)) note(`${about} started before anybody decided`)

  if (count > 1) note(`${about} ${count} effects`)
  if ((state === 'succeeded' || state === 'done') && count !== 1) note(`${about} ${count} effects`)
  if (state === 'not-done' && count !== 0) note(`${about} ${count} effects`)
  if (!start && count !== 0) note(`${about} ${count} effects and never started`)
  const possible =
    one.kind === 'denied'
      ? ['rejected']
      : ['succeeded', 'done', 'not-done', ...(one.kind === 'contested' ? ['rejected'] : [])]
  if (!(asks ? possible : ['succeeded', 'done', 'not-done']).includes(state)) note(`${about} cannot be`)
  return state
}

/** The thread: each message once, one end, and nothing that still looks as if it went on. */
function checkThread(
  workspace: Workspace,
  one: Case,
  run: RunRow | undefined,
  note: (what: string) => void,
): void {
  const said = workspace.messages(one.channel, one.ts).filter((m) => m.user === workspace.botUser)
  const parts = said.map((m) => {
    const payload = m.metadata?.event_payload as { run?: string; part?: string } | undefined
    return payload?.run === run?.id ? (payload?.part ?? 'nothing') : 'something of another run'
  })
  for (const [part, count] of countOf(parts)) if (count > 1) note(`${part} was said ${count} times`)
  const ends = said.filter((m) => m.text?.startsWith(`Case ${one.n} is closed`))
  if (ends.length !== 1 || parts.filter((p) => /^end:\d+:0$/.test(p)).length !== 1)
    note(`${ends.length} answers`)
  const unknown = run?.steps.some((s) => s.kind === 'returned' && s.outcome === 'unknown')
  if (unknown && !ends[0]?.text?.includes('a person checked')) note('what a person found out is not said')
  if (said.some((m) => hasButton(m, 'approve') || hasButton(m, 'done'))) note('a card still has its buttons')
  if (!said.some((m) => hasButton(m, 'trace'))) note(`the plan is not closed: ${parts}`)
  const session = workspace.session(one.channel, one.ts)
  if (session === 'processing' || session === 'suspended') note(`the session still says ${session}`)
}

function countLines(text: string): Map<string, number> {
  return countOf(text.split('\n').filter(Boolean))
}

function countOf(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}
