/**
 * A question that only its asker sees: asked by command, from all that they may read, and answered to them alone.
 * It has no thread: what would stand there is told to them, or not at all.
 */
import type pg from 'pg'
import { Fault } from '../core/fault.ts'
import type { HeardOf } from '../core/heard.ts'
import type { StepOf } from '../core/run.ts'
import { layOut } from '../slack/blocks/answer.ts'
import { sayMessage } from '../slack/blocks/say.ts'
import { shareBlock } from '../slack/blocks/share.ts'
import type { Message } from '../slack/message.ts'
import type { Speak } from '../slack/speak.ts'
import { adoptPost, beginPost, dropPost, endPost } from '../store/posts.ts'
import { createRun, type Run } from '../store/runs.ts'
import type { Tx } from '../store/transaction.ts'
import { inputSaying } from './approvals/input.ts'
import type { Weighed } from './approvals/weigh.ts'
import { likingsOf } from './preferences.ts'
import type { Ending } from './said.ts'
import { settingsFor } from './settings.ts'
import type { ThreadView } from './thread.ts'

export type PrivateContext = {
  pool: pg.Pool
  speak: Pick<Speak, 'respond' | 'whisper' | 'direct' | 'post'>
  log: (level: 'warn', message: string, fields?: Record<string, unknown>) => void
}

/** The first sign, to the asker alone. */
export const BEGUN = 'Looking into it. Only you will see the answer; `/quorum stop` stops it.'

/** Takes up a question asked by command. It is known by the command, of which there is one. */
export async function takeUpPrivate(
  tx: Tx,
  heard: HeardOf<'commanded'>,
  agent: string,
): Promise<Run | undefined> {
  const { workspace, channel, user, trigger, responseUrl, rest } = heard
  const message = `private-${trigger}`
  const { agent: settled = agent, narrowing } = await settingsFor(tx, heard)
  const asked: StepOf<'asked'> = {
    kind: 'asked',
    at: new Date().toISOString(),
    user,
    text: rest,
    ts: message,
    ...(narrowing ? { narrowing } : {}),
    ...(await likingsOf(tx, workspace, user)),
  }
  const place = { workspace, channel, thread: message, message, asker: user, agent: settled, dm: false }
  return createRun(tx, { ...place, reply: responseUrl }, asked)
}

/** Nobody else sees the question, so nobody can be asked for approval: such a call is denied, with what to do instead. */
export function withoutCard(weighed: Weighed): Weighed {
  const { at, call, verdict, effect } = weighed.step
  if (verdict !== 'ask') return weighed
  return {
    step: { kind: 'proposed', at, call, verdict: 'deny', why: NO_CARD, ...(effect ? { effect } : {}) },
  }
}

const NO_CARD =
  'It would have to be approved, and only the asker sees this question. It can be asked for in the channel, or in a direct message.'

/** What a question without a thread shows: its answer, what it waits for, and what a tool server wants to know. */
export function openPrivate(context: PrivateContext, run: Run): ThreadView {
  const quietly = async (work: Promise<unknown>) => {
    await work.catch((error: unknown) => {
      context.log('warn', 'something was not told to whoever asked alone', {
        run: run.id,
        why: String(error),
      })
    })
  }
  return {
    showPlan: () => {},
    hearAnswer: () => undefined,
    showProgress: () => {},
    showWait: (steps, sentence) =>
      quietly(sayAlone(context, run, `wait:${steps.length}`, sayMessage(sentence))),
    showWaiting: async () => {},
    postCard: async () => 'unshowable',
    async postInput(steps, proposed) {
      const { part, message } = inputSaying(run, steps, proposed)
      await sayAlone(context, run, part, message)
      return { ts: 'alone' }
    },
    remind: async () => {},
    refreshCards: async () => {},
    sayEnd: (key, ending) => sayEnd(context, run, key, ending),
    close: async () => {},
    leave: () => {},
  }
}

async function sayEnd(
  context: PrivateContext,
  run: Run,
  key: string,
  ending: Ending,
): Promise<'said' | 'unsayable'> {
  const { files, messages, unfiled } = layOut({ ...ending, run: run.id })
  // A file would be everybody's.
  const said = files.length > 0 ? unfiled() : messages
  const shares = ending.feedback === true && !run.channel.startsWith('D')
  try {
    for (const [i, message] of said.entries()) {
      const last = shares && i === said.length - 1
      const all = last ? { ...message, blocks: [...(message.blocks ?? []), shareBlock(run.id)] } : message
      await sayAlone(context, run, `${key}:${i}`, all)
    }
    return 'said'
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    context.log('warn', 'Slack refused a private answer for good', { run: run.id, why: error.message })
    return 'unsayable'
  }
}

/** Whoever announced what is to be said and has not come back after this long is taken for dead, in ms. */
const LOST_MS = 15_000

/** Says it once, but for a crash at the very moment: then perhaps twice, for nobody can look whether it arrived. */
async function sayAlone(context: PrivateContext, run: Run, part: string, message: Message): Promise<void> {
  const post = await beginPost(context.pool, run.id, part, run.channel)
  if (post.state === 'posted') return
  if (post.state === 'posting' && !(await adoptPost(context.pool, run.id, part, LOST_MS)))
    throw new Fault('slack-unreachable', 'Somebody else is saying this just now.', { retry: true })
  try {
    await tellAlone(context.speak, run, message)
  } catch (error) {
    await dropPost(context.pool, run.id, part)
    throw error
  }
  await endPost(context.pool, run.id, part, 'alone')
}

/**
 * Tells whoever asked, and nobody else: at the address of the command (Slack takes five messages there, for half an
 * hour), else in the thread or the channel for their eyes only, else, where we are no member, in a direct message.
 */
export async function tellAlone(
  speak: PrivateContext['speak'],
  run: Pick<Run, 'reply' | 'channel' | 'thread' | 'asker'>,
  message: Message,
): Promise<void> {
  if (
    run.reply &&
    (await speak.respond(run.reply, message).then(
      () => true,
      () => false,
    ))
  )
    return
  const thread = run.reply ? undefined : run.thread
  await whisperOrWrite(speak, { channel: run.channel, user: run.asker, thread }, message)
}

/** For one person's eyes only where they are or, where we are no member or which is no channel, in a direct message. */
export async function whisperOrWrite(
  speak: Pick<Speak, 'whisper' | 'direct' | 'post'>,
  { channel, user, thread }: { channel: string; user: string; thread?: string | undefined },
  message: Message,
): Promise<void> {
  try {
    await speak.whisper(channel, user, thread, message)
  } catch (error) {
    if (error instanceof Fault && error.retry) throw error
    await speak.post(await speak.direct(user), undefined, message)
  }
}
