/** A person wrote to the agent: a new run, or a word to the run that is at work in the thread. */
import type { Enclosed } from '../core/enclosed.ts'
import type { HeardOf } from '../core/heard.ts'
import { inboxKey } from '../core/heard.ts'
import type { StepOf, Thread, ToolCall } from '../core/run.ts'
import { isWaiting } from '../store/approvals.ts'
import { noteReworded } from '../store/feedback.ts'
import { readInbox } from '../store/inbox.ts'
import {
  appendFromOutside,
  createRun,
  findRunOfMessage,
  isPartOfThread,
  lockActiveRun,
  lockRun,
  type Run,
  readSteps,
} from '../store/runs.ts'
import { findStop, lockThread, meetStop } from '../store/stops.ts'
import type { Tx } from '../store/transaction.ts'
import { likingsOf } from './preferences.ts'
import { settingsFor } from './settings.ts'

/** `created`: a new run; `steered`: told to the run at work; `known`: this message has its run already. */
export type Mentioned =
  | { outcome: 'created'; run: Run; asked: StepOf<'asked'> }
  /** `waiting`: the run will read it only when an approval is decided. */
  | { outcome: 'steered'; waiting: boolean }
  | { outcome: 'known' }
  /** A call, or a prompt, was asked for while another run is at work in the thread. */
  | { outcome: 'busy' }

/** The thread a message belongs to: the one it replies in, or the one it begins. */
export function threadOf(message: {
  workspace: string
  channel: string
  ts: string
  thread?: string | undefined
}): Thread {
  return { workspace: message.workspace, channel: message.channel, ts: message.thread ?? message.ts }
}

/** The key of the inbox under which a message itself is stored. */
export function keyOfMessage(of: { workspace: string; channel: string; user: string; ts: string }): string {
  const { workspace, channel, user, ts } = of
  const blank = { kind: 'message', text: '', mention: false, forOther: false, dm: false } as const
  return inboxKey({ ...blank, workspace, channel, user, ts })
}

/** Takes up a message meant for the agent. One active run a thread: a message meanwhile steers it. `also`: it asks for
 * just one call, or was made by a prompt. */
export async function takeUpMessage(
  tx: Tx,
  heard: HeardOf<'message'>,
  agent: string,
  also: { call?: ToolCall; prompt?: string } = {},
): Promise<Mentioned> {
  const thread = threadOf(heard)
  if (await readInbox(tx, inboxKey({ ...heard, kind: 'deleted' }))) return { outcome: 'known' }
  const joins = heard.thread !== undefined && !(await isPartOfThread(tx, thread))
  await lockThread(tx, thread)
  const stop = await findStop(tx, thread, heard.ts)
  if (stop?.met) return { outcome: 'known' }
  const { agent: settled = agent, narrowing } = await settingsFor(tx, heard)
  const asked: StepOf<'asked'> = {
    kind: 'asked',
    at: now(),
    user: heard.user,
    text: heard.text,
    ts: heard.ts,
    ...(narrowing ? { narrowing } : {}),
    ...(await likingsOf(tx, heard.workspace, heard.user)),
    ...also,
    ...(joins ? { before: true } : {}),
    ...enclosedOf(heard),
  }
  const place = { workspace: heard.workspace, channel: heard.channel, thread: thread.ts, message: heard.ts }
  const run = { ...place, asker: heard.user, agent: settled, dm: heard.dm }
  // Twice, because the run that is in the way may end meanwhile.
  for (let attempt = 0; attempt < 2; attempt++) {
    const created = await createRun(tx, run, asked)
    if (created && stop) {
      await appendFromOutside(tx, created, { kind: 'stopped', at: now(), by: stop.by, why: stop.why })
      await meetStop(tx, thread)
    }
    if (created) return { outcome: 'created', run: created, asked }
    if (await findRunOfMessage(tx, heard)) return { outcome: 'known' }
    const active = await lockActiveRun(tx, thread)
    if (active) return also.call || also.prompt ? { outcome: 'busy' } : steer(tx, active, heard)
  }
  throw new Error('the run of the thread ended while a message for it was taken up')
}

function enclosedOf({ files, quoted, quotedBy, about, viewing }: Enclosed): Enclosed {
  return {
    ...(files ? { files } : {}),
    ...(quoted ? { quoted } : {}),
    ...(quotedBy ? { quotedBy } : {}),
    ...(about ? { about } : {}),
    ...(viewing ? { viewing } : {}),
  }
}

/**
 * The question was put in other words: the run at work learns them, a finished one stays as it is. Where there is
 * no run, the new words are the question: they mention us only now, or came before the message itself.
 */
export async function takeUpEdit(tx: Tx, heard: HeardOf<'edited'>, agent: string): Promise<Mentioned> {
  const run = await runOfMessage(tx, heard)
  if (!run) {
    if (!heard.mention && !heard.dm) return { outcome: 'known' }
    return takeUpMessage(tx, { ...heard, kind: 'message', forOther: false }, agent)
  }
  if (!run.active) {
    await noteReworded(tx, run.id, heard.user)
    return { outcome: 'known' }
  }
  const known = (await readSteps(tx, run.id)).findLast((s) => s.kind === 'steered' && s.edit === true)
  // Slack may send an older wording after a newer one.
  if (known?.kind === 'steered' && Number(known.ts) >= Number(heard.editedTs)) return { outcome: 'known' }
  return steer(tx, run, { ...heard, ts: heard.editedTs, edit: true })
}

async function steer(
  tx: Tx,
  run: Run,
  heard: Enclosed & { user: string; text: string; ts: string; edit?: true },
): Promise<Mentioned> {
  const { user, text, ts, edit } = heard
  const enclosed = edit ? {} : enclosedOf(heard) // An edit changes words: what came with them is known.
  const step = { kind: 'steered', at: now(), user, text, ts, ...(edit ? { edit } : {}), ...enclosed } as const
  await appendFromOutside(tx, run, step)
  return { outcome: 'steered', waiting: await isWaiting(tx, run.id) }
}

/**
 * The run a message asked for, locked. Throws where the message itself is still waiting in the inbox
 * (events arrive in any order), so that this is tried again.
 */
export async function runOfMessage(
  tx: Tx,
  message: { workspace: string; channel: string; user: string; ts: string },
): Promise<Run | undefined> {
  const found = await findRunOfMessage(tx, message)
  if (found) return lockRun(tx, found.id)
  const row = await readInbox(tx, keyOfMessage(message))
  if (row && !row.handled) throw new Error('the message this is about is not handled yet')
  return undefined
}

function now(): string {
  return new Date().toISOString()
}
