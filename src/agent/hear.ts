/** From what was heard to what happens: stored first, then one story in one transaction, then what it says. */
import type pg from 'pg'
import { readPromptWords, readWord } from '../core/command.ts'
import type { Heard, HeardOf } from '../core/heard.ts'
import type { Retention } from '../core/home.ts'
import type { StepOf } from '../core/run.ts'
import { sayMessage } from '../slack/blocks/say.ts'
import type { Message } from '../slack/message.ts'
import type { Speak } from '../slack/speak.ts'
import { sweepOld } from '../store/erase.ts'
import { pruneGrants } from '../store/grants.ts'
import { claimInbox, markHandled, putOff, readInbox, readWaiting, writeInbox } from '../store/inbox.ts'
import { pruneShares } from '../store/line.ts'
import { isPartOfThread, type Run } from '../store/runs.ts'
import { pruneStops } from '../store/stops.ts'
import { type Db, inTransaction, type Tx } from '../store/transaction.ts'
import type { Tools } from '../tools/open.ts'
import type { Disconnected } from './accounts/disconnect.ts'
import { isAdmin } from './admins.ts'
import { type Decision, type DecisionContext, type Known, prepareDecision } from './approvals/deciding.ts'
import { takeDecision, tellDecision } from './approvals/decision.ts'
import { takeEdit } from './approvals/edit.ts'
import { declineAnswer, takeAnswer } from './approvals/input.ts'
import { followRaise, type Raised, takeRaise, tellRaise } from './budgets/raise.ts'
import { postAbout } from './commands/about.ts'
import { readCall } from './commands/direct.ts'
import { BUSY, type Posted, postPrompt, postQuestion } from './commands/question.ts'
import { answerWord, type WordContext } from './commands/words.ts'
import { takeExplanation, takeRating } from './feedback.ts'
import { keyOfMessage, type Mentioned, takeUpEdit, takeUpMessage, threadOf } from './mention.ts'
import { turnAway } from './outsiders.ts'
import { takePreferences } from './preferences.ts'
import { BEGUN, takeUpPrivate, whisperOrWrite } from './private.ts'
import { prepareSettings, type Seen, takeSettings } from './settings.ts'
import { shareAnswer } from './share.ts'
import { stopDeleted, stopMine, stopPressed, stopThread } from './stop.ts'
import { showBegun } from './thread.ts'

export type HearContext = WordContext &
  Pick<DecisionContext, 'policy' | 'catalogue'> & {
    pool: pg.Pool
    /** The workspace this process hears. */
    workspace: string
    speak: Pick<
      Speak,
      | 'post'
      | 'update'
      | 'find'
      | 'status'
      | 'streams'
      | 'whisper'
      | 'respond'
      | 'name'
      | 'decider'
      | 'direct'
      | 'joined'
    >
    /** Prompts of tool servers. */
    tools: Pick<Tools, 'prompts' | 'prompt'>
    /** A wake-up was written: somebody may look. */
    poke: () => void
    /** Forgets an account that a person connected. */
    disconnect?: (tx: Tx, heard: HeardOf<'pressed'>, admin: boolean) => Promise<Disconnected | undefined>
    /** Shows a person's App Home anew. */
    showHome?: (user: string) => Promise<void>
    log: (level: 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void
  }

/** Times a row of the inbox is tried before the thread is told that it could not be taken up. */
const ATTEMPTS = 8

const WAITING =
  'I read this when the approval above is decided. To ask for something else instead, press Deny, or write `@quorum stop`.'

/** What to do after the transaction of a story. */
type After = {
  begun?: { run: Run; asked: StepOf<'asked'> }
  whisper?: string | Message | undefined
  respond?: string | Message
  /** A thread in which nothing is at work. */
  idle?: string
  raised?: Raised
  decision?: Decision
  disconnected?: Disconnected
  /** Their Home shows something else now. */
  home?: true
}

/** Stores what was heard; acknowledge only after this. Throws where the store is away. */
export async function takeIn(pool: pg.Pool, heard: Heard): Promise<'stored' | 'known' | 'not-for-us'> {
  return (await isForUs(pool, heard)) ? writeInbox(pool, heard) : 'not-for-us'
}

async function isForUs(pool: pg.Pool, heard: Heard): Promise<boolean> {
  const { workspace, channel } = heard
  switch (heard.kind) {
    case 'message': {
      if (heard.mention || heard.dm) return true
      if (!heard.thread || heard.forOther) return false
      const thread = { workspace, channel, ts: heard.thread }
      // The mention it follows may be stored and not handled yet; asked first, for it may be handled meanwhile.
      const first = await readInbox(pool, keyOfMessage({ ...thread, user: heard.user }))
      // What comes late and was said before we were asked here was not said to us.
      return (first && !first.handled) || isPartOfThread(pool, thread, heard.ts)
    }
    case 'edited':
    case 'deleted':
      // What is meant for us counts although its message was not heard yet: events arrive in any order.
      return heard.mention || heard.dm || (await readInbox(pool, keyOfMessage(heard))) !== undefined
    default:
      return true
  }
}

/**
 * Handles one row of the inbox. Safe to call any number of times, by any process. Never throws.
 * `fresh` is what the row holds, from whoever has just stored it.
 */
export async function handleHeard(context: HearContext, key: string, fresh?: Heard): Promise<void> {
  let heard = fresh
  try {
    heard ??= await readUnhandled(context.pool, key)
    if (!heard) return
    const away = await turnAway(context, heard)
    if (away) {
      const said = away === 'ignored' ? undefined : away
      return await act(context, key, heard, async () => ({ whisper: said }))
    }
    const rest = heard.kind === 'message' ? readPromptWords(heard.text) : undefined
    if (heard.kind === 'message' && rest) {
      const known = heard
      const asked = await postPrompt(context, key, known, rest)
      if (typeof asked === 'string') return await act(context, key, known, async () => ({ whisper: asked }))
      return await ask(context, key, asked)
    }
    if (heard.kind === 'filled' && heard.form === 'share') return await share(context, key, heard)
    if (heard.kind === 'filled' && heard.form === 'ask_about') {
      const asked = await postAbout(context, key, heard)
      return asked ? await ask(context, key, asked) : await markHandled(context.pool, key)
    }
    if (opensThread(heard)) {
      const asked = await postQuestion(context, key, heard)
      return asked ? await ask(context, key, asked) : await markHandled(context.pool, key)
    }
    const [known, prepared] = [heard, await prepare(context, heard)]
    await act(context, key, known, (tx) => tellStory(context, tx, known, prepared))
  } catch (error) {
    await giveUpAfterAll(context, key, heard, error)
  }
}

/** Asks what a command or a prompt made of what was heard. */
function ask(context: HearContext, key: string, { message, also }: Posted): Promise<void> {
  return act(context, key, message, async (tx) =>
    takeUp(await takeUpMessage(tx, message, context.agent, also)),
  )
}

/** Shares a private answer, or has its question asked again for everyone. */
async function share(context: HearContext, key: string, heard: HeardOf<'filled'>): Promise<void> {
  const shared = await shareAnswer(context, key, heard)
  if (typeof shared === 'object') return ask(context, key, shared)
  return act(context, key, heard, async () => (shared === 'shared' ? {} : { whisper: shared }))
}

/** One story in one transaction with the mark that it was handled, then what it says. */
async function act(
  context: HearContext,
  key: string,
  heard: Heard,
  story: (tx: Tx) => Promise<After>,
): Promise<void> {
  const after = await inTransaction(context.pool, async (tx) =>
    (await claimInbox(tx, key)) ? story(tx) : {},
  )
  const acting = actAfter(context, heard, after) // First, so that its first word to the store is the first.
  context.poke()
  await acting
}

/** Commands that begin a thread, on a message of ours. */
function opensThread(heard: Heard): heard is HeardOf<'commanded'> {
  return heard.kind === 'commanded' && /^(run|prompt)$/.test(heard.word)
}

async function readUnhandled(pool: pg.Pool, key: string): Promise<Heard | undefined> {
  const row = await readInbox(pool, key)
  return row && !row.handled ? row.heard : undefined
}

/** What must be known of the world before the transaction: who decides, whether they are an admin, what is shown. */
type Prepared = { known?: Known; admin?: boolean; shown?: Message | undefined; seen?: Seen }

async function prepare(context: HearContext, heard: Heard): Promise<Prepared> {
  if (heard.kind === 'clicked' && heard.choice !== 'decline')
    return { known: await prepareDecision(context, heard, heard.choice === 'again') }
  if (heard.kind === 'submitted' && heard.form === 'edit')
    return { known: await prepareDecision(context, heard, true) }
  if (heard.kind === 'commanded') return { shown: await answerWord(context, heard) }
  if (heard.kind === 'filled' && heard.form === 'settings')
    return { seen: await prepareSettings(context, heard) }
  if (heard.kind === 'message') {
    const nothing = await asksNothing(context.pool, heard)
    const word = nothing ? { word: 'help', rest: '' } : readWord(heard.text)
    const thread = heard.thread ?? heard.ts
    return word ? { shown: await answerWord(context, { ...heard, ...word, thread }) } : {}
  }
  return heard.kind === 'pressed' ? { admin: await isAdmin(context, heard.user) } : {}
}

async function tellStory(context: HearContext, tx: Tx, heard: Heard, prepared: Prepared): Promise<After> {
  const { known, admin = false } = prepared
  switch (heard.kind) {
    case 'message':
      return prepared.shown ? { whisper: prepared.shown } : hearMessage(context, tx, heard)
    case 'edited':
      return takeUp(await takeUpEdit(tx, heard, context.agent))
    case 'deleted':
      await stopDeleted(tx, heard)
      return {}
    case 'clicked':
      if (heard.choice === 'decline') return { whisper: await declineAnswer(tx, heard) }
      return known ? { decision: await takeDecision(tx, heard, known) } : {}
    case 'interrupted':
      return interrupt(tx, heard)
    case 'filled':
      if (heard.form === 'feedback') return { whisper: await takeExplanation(tx, heard) }
      if (prepared.seen) return { whisper: await takeSettings(tx, context, heard, prepared.seen) }
      await takePreferences(tx, heard)
      return { home: true }
    case 'pressed': {
      if (heard.button === 'feedback') return { whisper: await takeRating(tx, heard) }
      if (heard.button === 'raise') return { raised: await takeRaise(tx, heard, admin) }
      if (heard.button === 'stop') await stopPressed(tx, heard, admin)
      const gone = heard.button === 'disconnect' && (await context.disconnect?.(tx, heard, admin))
      return gone ? { disconnected: gone } : {}
    }
    case 'submitted':
      if (heard.form === 'answer') return { whisper: await takeAnswer(tx, heard) }
      return known ? { decision: await takeEdit(tx, heard, known) } : {}
    case 'commanded':
      if (heard.word === 'ask')
        return (await takeUpPrivate(tx, heard, context.agent)) ? { respond: BEGUN } : {}
      return { respond: prepared.shown ?? (await obeyStop(tx, heard)) }
  }
}

async function hearMessage(context: HearContext, tx: Tx, heard: HeardOf<'message'>): Promise<After> {
  if (readWord(heard.text)?.word === 'stop') return stopByWord(tx, heard)
  const direct = readCall(context.accepted(), heard.text)
  if (typeof direct === 'string') return { whisper: direct }
  return takeUp(await takeUpMessage(tx, heard, context.agent, direct ? { call: direct } : {}))
}

/** Whether a message has no words, and nothing else that an answer could be about: a thread we are new to is. */
async function asksNothing(db: Db, heard: HeardOf<'message'>): Promise<boolean> {
  if (heard.text.trim() !== '' || heard.files || heard.quoted) return false
  return !heard.thread || isPartOfThread(db, threadOf(heard))
}

async function stopByWord(tx: Tx, heard: HeardOf<'message'>): Promise<After> {
  const thread = threadOf(heard)
  const stop = { until: heard.ts, by: heard.user, why: 'asked in the thread' }
  if (await stopThread(tx, thread, stop)) return {}
  const question = await readInbox(tx, keyOfMessage({ ...heard, ts: thread.ts }))
  if (question && !question.handled) return {} // It is stopped as soon as it is taken up, and says so.
  return { whisper: 'Nothing is running in this thread.' }
}

/** The native Stop. Slack shows a session at work until it is told otherwise: here, where no run does that. */
async function interrupt(tx: Tx, heard: HeardOf<'interrupted'>): Promise<After> {
  const until = heard.ts ?? String(Date.now() / 1000)
  const thread = { ...heard, ts: heard.thread }
  const stopped = await stopThread(tx, thread, { until, by: heard.user, why: 'the Stop button' })
  return stopped ? {} : { idle: heard.thread }
}

function takeUp(taken: Mentioned): After {
  if (taken.outcome === 'steered' && taken.waiting) return { whisper: WAITING }
  if (taken.outcome === 'busy') return { whisper: BUSY }
  return taken.outcome === 'created' ? { begun: taken } : {}
}

async function obeyStop(tx: Tx, heard: HeardOf<'commanded'>): Promise<string> {
  const stopped = await stopMine(tx, heard)
  if (stopped === 0) return 'I am doing nothing for you in this channel.'
  return `Stopping ${stopped === 1 ? 'one run' : `${stopped} runs`}.`
}

async function actAfter(context: HearContext, heard: Heard, after: After): Promise<void> {
  if (after.begun) await showBegun(context, after.begun.run, [{ ...after.begun.asked, n: 1 }])
  if (after.idle) await context.speak.status(heard.channel, after.idle, 'active')
  if (after.respond && heard.kind === 'commanded') {
    const said = messageOf(after.respond)
    await quietly(context, () => context.speak.respond(heard.responseUrl, said))
  }
  const { raised } = after
  if (raised?.outcome === 'raised')
    await quietly(context, () => followRaise(context, heard.workspace, raised))
  if (raised && heard.channel !== '')
    await quietly(context, async () => whisper(context, heard, await tellRaise(raised, context.speak.name)))
  const atHome = heard.kind === 'pressed' && heard.button !== 'feedback' && (!raised || heard.channel === '')
  if (atHome || after.home) {
    await quietly(context, async () => {
      await context.showHome?.(heard.user)
      await after.disconnected?.revoke?.()
    })
  }
  const { decision } = after
  const told = decision ? await tellDecision(decision, context.speak.name) : after.whisper
  if (told) await quietly(context, () => whisper(context, heard, told))
}

function messageOf(said: string | Message): Message {
  return typeof said === 'string' ? sayMessage(said) : said
}

function whisper(context: HearContext, heard: Heard, said: string | Message): Promise<unknown> {
  const inMessage = heard.kind === 'message' ? (heard.thread ?? heard.ts) : undefined
  const onCard = heard.kind === 'clicked' || heard.kind === 'submitted' || heard.kind === 'filled'
  const thread = onCard ? heard.thread : inMessage
  const { channel, user } = heard
  return whisperOrWrite(context.speak, { channel, user, thread }, messageOf(said))
}

async function giveUpAfterAll(
  context: HearContext,
  key: string,
  heard: Heard | undefined,
  error: unknown,
): Promise<void> {
  const why = error instanceof Error ? error.message : String(error)
  const attempts = await putOff(context.pool, key).catch(() => 0)
  context.log('warn', 'what was heard could not be handled yet', { key, attempts, why })
  if (attempts < ATTEMPTS || !heard) return
  context.log('error', 'what was heard could not be handled; given up', { key, why })
  await quietly(context, () => markHandled(context.pool, key))
  const text = 'Something went wrong on my side and I could not take this up. Please ask again in a moment.'
  await quietly(context, () => whisper(context, heard, text))
}

/** Handles what was stored and not handled because a process died or something was away. */
export async function handleWaiting(context: HearContext): Promise<void> {
  for (const key of await readWaiting(context.pool, context.workspace, 50)) await handleHeard(context, key)
}

async function quietly(context: HearContext, work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    context.log('warn', 'a sentence for one person was not shown', { why: String(error) })
  }
}

/** Deletes runs and heard things that are older than they are kept, and approvals that were remembered until now. */
export async function forgetOld(context: HearContext, keep: Retention): Promise<void> {
  await sweepOld(context.pool, context.workspace, keep)
  await pruneGrants(context.pool, context.workspace)
  await pruneShares(context.pool, context.workspace)
  await pruneStops(context.pool, context.workspace)
}
