/** What comes before every decision: who it is that decides, what about, and whether they may. */
import type pg from 'pg'
import { type Barred, type Decider, groupsOf, mayDecide, mightDecide } from '../../core/approvers.ts'
import type { CatalogueTool } from '../../core/catalogue.ts'
import type { HeardOf } from '../../core/heard.ts'
import type { Policy } from '../../core/rules.ts'
import type { StepOf } from '../../core/run.ts'
import type { Speak } from '../../slack/speak.ts'
import { type Approval, readApproval, readBatch } from '../../store/approvals.ts'
import { lockRun, type Run, readSteps } from '../../store/runs.ts'
import type { Db, Tx } from '../../store/transaction.ts'

/** What became of a click; all but `taken` are told to the person who clicked, and to nobody else. */
export type Decision =
  | { outcome: 'taken' }
  | { outcome: 'not-yours'; approval: Approval }
  | { outcome: 'barred'; barred: Barred }
  /** Slack did not tell enough to know whether they may. */
  | { outcome: 'untold' }
  | { outcome: 'voted'; approval: Approval }
  /** `last` is what was decided on it last. */
  | { outcome: 'late'; approval: Approval; last: StepOf<'decided'> | undefined }
  | { outcome: 'expired' }
  | { outcome: 'over' }
  | { outcome: 'gone' }
  /** The call that would take its place cannot be proposed; nothing is changed. */
  | { outcome: 'refused'; why: string }
/** A decision that did not count. */
export type Refusal = Exclude<Decision, { outcome: 'taken' }>

/** Where a decision comes from: a click, a modal that was sent, or a button that opens one. */
export type Deciding = Pick<HeardOf<'clicked'>, 'workspace' | 'channel' | 'user' | 'approval' | 'batch'>

/** What has to be known of the world before the transaction of a decision. */
export type Known = {
  person: Decider
  policy: Policy
  /** The tool of the call as it is now; only where another call may take its place. */
  tool?: CatalogueTool | undefined
}

export type DecisionContext = {
  pool: pg.Pool
  speak: Pick<Speak, 'decider'>
  policy: Policy
  catalogue: () => Promise<CatalogueTool[]>
}

/** Finds out who wants to decide and what the tool is now. Never waits inside of a transaction. */
export async function prepareDecision(
  context: DecisionContext,
  deciding: Deciding,
  withTool: boolean,
): Promise<Known> {
  const approvals = await findApprovals(context.pool, deciding)
  const groups = [...new Set(approvals.flatMap(groupsOf))]
  const [person, tools] = await Promise.all([
    context.speak.decider(deciding.user, groups),
    withTool ? context.catalogue() : [],
  ])
  return { person, policy: context.policy, tool: tools.find((t) => t.name === approvals[0]?.tool) }
}

/** Approvals that a person may decide about, with their run, which is locked until the transaction ends. */
export type Opened = { run: Run; first: Approval; approvals: Approval[] }

/** Opens what a person wants to decide about, or says why they cannot. */
export async function openApprovals(tx: Tx, deciding: Deciding, person: Decider): Promise<Opened | Refusal> {
  const [found] = await findApprovals(tx, deciding)
  const run = found && (await lockRun(tx, found.run))
  const approvals = run ? await findApprovals(tx, deciding) : []
  const [first] = approvals
  if (!first || run?.workspace !== deciding.workspace || run.channel !== deciding.channel)
    return { outcome: 'gone' }
  const foreign = approvals.find((approval) => !mayDecide(approval, person))
  if (!foreign) return { run, first, approvals }
  if (mightDecide(foreign, person)) return { outcome: 'untold' }
  if (person.barred) return { outcome: 'barred', barred: person.barred }
  return { outcome: 'not-yours', approval: foreign }
}

async function findApprovals(db: Db, { approval, batch }: Deciding): Promise<Approval[]> {
  if (!/^[0-9a-f-]{36}$/.test(approval)) return []
  if (batch) return readBatch(db, approval)
  const found = await readApproval(db, approval)
  return found ? [found] : []
}

/** That a decision comes too late, or the run is over. */
export async function tooLate(tx: Tx, approval: Approval): Promise<Refusal> {
  const last = (await readSteps(tx, approval.run)).findLast(
    (s) => s.kind === 'decided' && s.approval === approval.id && s.outcome !== 'counted',
  )
  return { outcome: 'late', approval, last: last?.kind === 'decided' ? last : undefined }
}
