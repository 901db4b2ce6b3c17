/** Editing the arguments of a call that waits for approval: that makes another call, which waits in its place. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ModalView } from '@slack/types'
import { canonical } from '../../core/canonical.ts'
import type { CatalogueTool } from '../../core/catalogue.ts'
import type { HeardOf } from '../../core/heard.ts'
import type { Numbered } from '../../core/run.ts'
import { editView } from '../../slack/blocks/edit.ts'
import { argumentsOf, errorsAt, type Form, formOf } from '../../slack/blocks/form.ts'
import type { Viewer } from '../../slack/opening.ts'
import { createApproval, moveApproval } from '../../store/approvals.ts'
import { asJson } from '../../store/json.ts'
import { appendFromOutside, readSteps } from '../../store/runs.ts'
import { inTransaction, type Tx } from '../../store/transaction.ts'
import { checkArguments } from '../../tools/check.ts'
import {
  type Deciding,
  type Decision,
  type DecisionContext,
  type Known,
  type Opened,
  openApprovals,
  prepareDecision,
  type Refusal,
  tooLate,
} from './deciding.ts'
import { tellDecision } from './decision.ts'
import { weighInstead } from './instead.ts'
import type { Weighed } from './weigh.ts'

/** Slack waits 3 s for the answer to a button or a modal; finding out may take so long, in ms. */
const PATIENCE_MS = 2_000

const TOO_LONG =
  'The arguments are too long to be edited here. Deny the call, and write in the thread what should be different.'
const NO_TOOL = 'The tool is not there just now. Try again in a moment.'

/** The modal with the arguments of a waiting call, for somebody who may decide about it; else a sentence. */
export async function openEdit(
  context: DecisionContext & { name: (id: string) => Promise<string> },
  approval: string,
  viewer: Viewer,
): Promise<ModalView | string> {
  const { workspace, channel, user, thread } = viewer
  const deciding = { workspace, channel, user, approval }
  const known = await prepareSoon(context, deciding)
  if (known === 'slow') return NO_TOOL
  const opened = await inTransaction(context.pool, (tx) => openWaiting(tx, deciding, known))
  if ('outcome' in opened) return (await tellDecision(opened, context.name)) ?? NO_TOOL
  if (!known.tool) return NO_TOOL
  const form = formFor(known.tool, opened)
  return form ? editView(opened.first.tool, form, { approval, channel, thread }) : TOO_LONG
}

/** What is wrong with a sent edit, by block; undefined where it can be taken, or the story says what became of it. */
export async function checkEdit(
  context: DecisionContext,
  heard: HeardOf<'submitted'>,
): Promise<Record<string, string> | undefined> {
  const known = await prepareSoon(context, heard)
  const [somewhere] = Object.keys(heard.values)
  if (known === 'slow' || !known.tool) return somewhere ? { [somewhere]: NO_TOOL } : undefined
  return inTransaction(context.pool, async (tx) => {
    const opened = await openWaiting(tx, heard, known)
    if ('outcome' in opened) return undefined
    const proposed = propose(known, opened, await readSteps(tx, opened.run.id), heard)
    if (typeof proposed === 'string') return somewhere ? { [somewhere]: proposed } : undefined
    return 'errors' in proposed ? proposed.errors : undefined
  })
}

/** Takes an edit: the waiting approval is void, and another call waits for its own. Of two edits the first one counts. */
export async function takeEdit(tx: Tx, heard: HeardOf<'submitted'>, known: Known): Promise<Decision> {
  const opened = await openWaiting(tx, heard, known)
  if ('outcome' in opened) return opened
  const { run, first } = opened
  const proposed = propose(known, opened, await readSteps(tx, run.id), heard)
  if (typeof proposed === 'string' || 'errors' in proposed) {
    const why = typeof proposed === 'string' ? proposed : Object.values(proposed.errors).join(' ')
    return { outcome: 'refused', why: `Your edit was not taken, the call waits as it was: ${why}` }
  }
  if (!(await moveApproval(tx, first.id, ['pending'], 'void', heard.user))) return tooLate(tx, first)
  const { step, approval } = proposed
  const decided = {
    kind: 'decided',
    at: step.at,
    approval: first.id,
    outcome: 'edited',
    by: heard.user,
  } as const
  await appendFromOutside(tx, run, { ...decided, why: 'Its arguments were edited.' }, step)
  await createApproval(tx, approval)
  return { outcome: 'taken' }
}

async function prepareSoon(context: DecisionContext, deciding: Deciding): Promise<Known | 'slow'> {
  const late = new AbortController()
  const slow = sleep(PATIENCE_MS, 'slow' as const, { signal: late.signal })
  slow.catch(() => undefined)
  try {
    return await Promise.race([prepareDecision(context, deciding, true), slow])
  } finally {
    late.abort()
  }
}

/** The approval, where it still waits and the person may decide about it. */
async function openWaiting(tx: Tx, deciding: Deciding, known: Known): Promise<Opened | Refusal> {
  const opened = await openApprovals(tx, deciding, known.person)
  if ('outcome' in opened) return opened
  const { run, first } = opened
  if (!run.active || first.state !== 'pending') return tooLate(tx, first)
  return Date.parse(first.expires) <= Date.now() ? { outcome: 'expired' } : opened
}

function formFor(tool: CatalogueTool, { first }: Opened): Form | undefined {
  return formOf(tool.inputSchema, Object(first.args ?? {}))
}

/** The call that was filled in, weighed; or what is wrong with it, by block where it can be said of one. */
function propose(
  known: Known,
  opened: Opened,
  steps: readonly Numbered[],
  heard: HeardOf<'submitted'>,
): Required<Weighed> | { errors: Record<string, string> } | string {
  const form = known.tool && formFor(known.tool, opened)
  if (!known.tool) return NO_TOOL
  if (!form) return TOO_LONG
  const wrong = (why: string) => ({ errors: errorsAt(form, { why }) })
  const read = argumentsOf(form, heard.values)
  if ('errors' in read) return read
  // As the store keeps them: what is hashed and shown must be what is run.
  const args: unknown = JSON.parse(asJson(read.args))
  const checked = checkArguments(known.tool.inputSchema, args)
  if (!checked.ok) return { errors: errorsAt(form, checked) }
  if (canonical(args) === canonical(opened.first.args ?? {}))
    return wrong('Nothing is different yet. Cancel to leave the call as it is.')
  const weighed = weighInstead(known, opened, steps, { args, editedBy: heard.user })
  return typeof weighed === 'string' ? wrong(weighed) : weighed
}
