/** Running a tool: claimed first, called once, recorded whatever came of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CatalogueTool, ToolOutcome } from '../core/catalogue.ts'
import { Fault } from '../core/fault.ts'
import { limitsFor, offeredOutside, outputFor, WITHHELD } from '../core/policy.ts'
import type { Policy } from '../core/rules.ts'
import type { StepOf, ToolCall } from '../core/run.ts'
import { type ApprovalState, moveApproval, readApproval, resolveApproval } from '../store/approvals.ts'
import type { Run } from '../store/runs.ts'
import type { Resume } from '../tools/input.ts'
import type { Progress } from '../tools/progress.ts'
import { MOST_ROUNDS, resumeOf, roundsOf } from './approvals/input.ts'
import { bindCall } from './approvals/weigh.ts'
import { record, reread, tryRecord, type Work } from './lease.ts'

/** Attempts to write what came of a call. */
const RECORD_ATTEMPTS = 5
/** A tool whose server is away is waited for this many attempts before its approval is void. */
const PATIENCE = 3

export type ActContext = {
  policy: Policy
  catalogue: () => Promise<CatalogueTool[]>
  /** Whether people of other organisations can read a run's answer. Never fails: true where Slack does not tell. */
  outside: (run: Run) => Promise<boolean>
  call: (
    name: string,
    args: unknown,
    options: {
      signal: AbortSignal
      expect: { definitionHash: string; serverHash: string }
      person: { workspace: string; user: string }
      onProgress: (progress: Progress) => void
      resume?: Resume | undefined
      timeoutMs?: number
      resultBytes?: number
    },
  ) => Promise<ToolOutcome>
  /** Tells whoever asked, in the thread and in private, that they must connect an account first, or with more scopes. */
  offerConnect?: (run: Run, server: string, scopes?: readonly string[]) => Promise<void>
}

/** How far running a tool came. `moved`: somebody was quicker, read the steps again. */
export type Acted = 'recorded' | 'moved' | 'lost'

/**
 * Runs an allowed or approved call, at most once: the approval is claimed and `started` is written in one
 * transaction before the first byte leaves. Where what would be executed is no longer what was approved,
 * the approval is void and nothing is run. `onStart` is told between the claim and the call.
 */
export async function runTool(
  context: ActContext,
  work: Work,
  call: ToolCall,
  approvalId: string,
  on: { start(): void; progress(progress: Progress): void },
): Promise<Acted> {
  const approval = await readApproval(work.pool, approvalId)
  if (!approval) throw new Error(`approval ${approvalId} does not exist`)
  const tool = (await context.catalogue()).find((t) => t.name === call.tool)
  if (!tool && work.failures < PATIENCE) {
    throw new Fault('tool-unreachable', `${call.tool} is not there just now`, { retry: true })
  }
  const hash = tool ? bindCall(context.policy, work.run.id, tool, call) : undefined
  // A channel may be shared with others between the proposal and the press.
  const withheld = tool !== undefined && (await isWithheld(context, work.run, tool))
  if (!tool || hash !== approval.hash || withheld) {
    const changed = 'The tool, its server or the policy changed since it was proposed.'
    const why = withheld ? WITHHELD : tool ? changed : 'The tool is not there any more.'
    const decided: StepOf<'decided'> = {
      kind: 'decided',
      at: now(),
      approval: approvalId,
      outcome: 'void',
      why,
    }
    return tryRecord(work, [decided], (tx) => mustMove(tx, approvalId, ['allowed', 'approved'], 'void'))
  }

  const started: StepOf<'started'> = { kind: 'started', at: now(), call: call.id, tool: tool.name }
  const claimed = await tryRecord(work, [started], (tx) =>
    mustMove(tx, approvalId, ['allowed', 'approved'], 'executing'),
  )
  if (claimed !== 'recorded') return claimed
  on.start()
  const { connect, scopes, ...outcome } = await callOnce(
    context,
    work,
    { tool, call, args: approval.args },
    on.progress,
  )
  const trusted = outputFor(context.policy, tool, work.run) === 'trusted'
  const recorded = await recordOutcome(work, call, approvalId, {
    ...outcome,
    ...(trusted ? { trusted } : {}),
  })
  // Only then: telling people may take long, and the call is known to have ended.
  if (connect) await context.offerConnect?.(work.run, connect, scopes)
  return recorded
}

async function isWithheld(
  { policy, outside }: Pick<ActContext, 'policy' | 'outside'>,
  run: Run,
  tool: CatalogueTool,
): Promise<boolean> {
  if (offeredOutside(policy, tool, { channel: run.channel, agent: run.agent })) return false
  return outside(run)
}

async function callOnce(
  context: ActContext,
  work: Work,
  { tool, call, args }: { tool: CatalogueTool; call: ToolCall; args: unknown },
  onProgress: (progress: Progress) => void,
): Promise<ToolOutcome> {
  const begun = Date.now()
  const resume = resumeOf(work.steps, call)
  if (roundsOf(work.steps, call) >= MOST_ROUNDS)
    return { outcome: 'failed', text: `${tool.name} kept asking, so it was not called again.`, ms: 0 }
  try {
    const { definitionHash, serverHash } = tool
    return await context.call(tool.name, args, {
      signal: work.signal,
      expect: { definitionHash, serverHash },
      person: { workspace: work.run.workspace, user: work.run.asker },
      onProgress,
      resume,
      ...limitsFor(context.policy, tool, work.run),
    })
  } catch (error) {
    const text = `The call broke off (${error instanceof Error ? error.message : String(error)}); it may have run.`
    return { outcome: 'unknown', text, ms: Date.now() - begun }
  }
}

/** Records that nobody who could know how a started call ended is left. */
export function settleUnknown(work: Work, call: ToolCall, approvalId: string): Promise<Acted> {
  const text = 'The process that ran this call died before it could record the result. The call may have run.'
  return recordOutcome(work, call, approvalId, { outcome: 'unknown', text, ms: 0 })
}

/** What came of a call must not be lost to a moment's trouble with the store: nobody else knows it. */
async function recordOutcome(
  work: Work,
  call: ToolCall,
  approvalId: string,
  result: ToolOutcome & { trusted?: boolean },
): Promise<'recorded' | 'lost'> {
  const returned: StepOf<'returned'> = { kind: 'returned', at: now(), call: call.id, ...result }
  for (let attempt = 1; ; attempt++) {
    try {
      // A server that wants to know something has done nothing yet: the call is claimed again when it goes on.
      const to = result.outcome === 'input' ? 'approved' : result.outcome
      return await record(work, [returned], (tx) => mustMove(tx, approvalId, ['executing'], to))
    } catch (error) {
      if (attempt === RECORD_ATTEMPTS) throw error
      await sleep(attempt * 500)
      await reread(work).catch(() => undefined)
      if (work.steps.some((s) => s.kind === 'returned' && s.call === call.id)) return 'recorded'
    }
  }
}

/** Records that nobody decided in time, or said in time what became of a call with an unknown outcome. */
export function expireApproval(work: Work, approvalId: string): Promise<Acted> {
  const decided: StepOf<'decided'> = { kind: 'decided', at: now(), approval: approvalId, outcome: 'expired' }
  return tryRecord(work, [decided], async (tx) => {
    const resolved = await resolveApproval(tx, approvalId, 'expired')
    // Approved already: its server asked something that nobody answered.
    if (!resolved) await mustMove(tx, approvalId, ['pending', 'approved'], 'expired')
  })
}

const UNSHOWN =
  'The arguments are too long for a card, and Slack did not take them as a file, so nobody could approve them. Split the call into smaller ones.'

/** Records that calls cannot be approved, because nobody could see in full what they would approve. */
export async function voidUnshown(
  work: Work,
  group: readonly StepOf<'proposed'>[],
): Promise<'recorded' | 'lost'> {
  const ids = group.map(({ approval = '' }) => approval)
  const at = now()
  const steps = ids.map((approval) => ({
    kind: 'decided' as const,
    at,
    approval,
    outcome: 'void' as const,
    why: UNSHOWN,
  }))
  return record(work, steps, async (tx) => {
    for (const id of ids) await mustMove(tx, id, ['pending'], 'void')
  })
}

/** The steps and the approval move together; where they disagree the transaction must not happen. */
async function mustMove(
  tx: Parameters<typeof moveApproval>[0],
  id: string,
  from: readonly ApprovalState[],
  to: ApprovalState,
): Promise<void> {
  if (!(await moveApproval(tx, id, from, to))) throw new Error(`approval ${id} is not ${from.join(' or ')}`)
}

function now(): string {
  return new Date().toISOString()
}
