/** Commands that begin a thread: what is asked stands in the channel, as the message the answer's thread hangs on. */
import type pg from 'pg'
import type { CatalogueTool } from '../../core/catalogue.ts'
import { Fault } from '../../core/fault.ts'
import type { HeardOf, Made } from '../../core/heard.ts'
import type { ToolCall } from '../../core/run.ts'
import { promptMessage, sayMessage } from '../../slack/blocks/say.ts'
import type { Message } from '../../slack/message.ts'
import type { Speak } from '../../slack/speak.ts'
import { lockActiveRun } from '../../store/runs.ts'
import { inTransaction } from '../../store/transaction.ts'
import type { Tools } from '../../tools/open.ts'
import type { Rights } from '../knowledge/rights.ts'
import { threadOf } from '../mention.ts'
import { sayForSure } from '../say.ts'
import { othersRead } from '../seeing.ts'
import { readCall } from './direct.ts'
import { askPrompt, NO_PROMPTS } from './prompts.ts'

export type QuestionContext = {
  pool: pg.Pool
  speak: Pick<Speak, 'post' | 'find' | 'respond' | 'name'>
  accepted: () => readonly CatalogueTool[]
  tools: Pick<Tools, 'prompt'>
  rights: Pick<Rights, 'outside'>
}

/** The message a command became, and what it asks for beside its text. */
export type Posted = { message: HeardOf<'message'>; also: { call?: ToolCall; prompt?: string } }

/** Posts what a command asks. Undefined where nothing was asked, or we cannot speak there: then the person was told. */
export async function postQuestion(
  context: QuestionContext,
  key: string,
  heard: HeardOf<'commanded'>,
): Promise<Posted | undefined> {
  const { workspace, channel, user } = heard
  const asked = await readAsked(context, key, heard)
  if (typeof asked === 'string') {
    await context.speak.respond(heard.responseUrl, sayMessage(asked))
    return undefined
  }
  const { text, message: shown, also } = asked
  try {
    const { ts } = await sayForSure(context, { owner: key, part: 'question', channel, message: shown })
    const place = { workspace, channel, user, ts }
    const message = { kind: 'message', ...place, text, mention: true, forOther: false, dm: false } as const
    return { message, also }
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    const sentence = 'I cannot write in this channel. Invite me with `/invite @quorum`, then ask again.'
    await context.speak.respond(heard.responseUrl, sayMessage(sentence))
    return undefined
  }
}

type Asked = { text: string; message: Message; also: Posted['also'] }

async function readAsked(
  context: QuestionContext,
  key: string,
  heard: HeardOf<'commanded'>,
): Promise<Asked | string> {
  const { word, rest } = heard
  const who = await context.speak.name(heard.user)
  if (word === 'run') {
    const call = readCall(context.accepted(), `run ${rest}`)
    if (typeof call !== 'object') return call ?? 'Run what?'
    return { text: `run ${rest}`, message: sayMessage(`${who} runs: ${rest}`), also: { call } }
  }
  if (await othersRead(context, heard)) return NO_PROMPTS
  const made = await askPrompt(context, key, heard)
  return typeof made === 'string' ? made : asksWith(who, made)
}

function asksWith(who: string, { prompt, text }: Made): Asked {
  return { text, message: promptMessage(who, prompt, text), also: { prompt } }
}

/** A message that asks with a prompt: shows in its thread what the prompt made. A sentence where nothing is asked. */
export async function postPrompt(
  context: QuestionContext,
  key: string,
  heard: HeardOf<'message'>,
  rest: string,
): Promise<Posted | string> {
  const thread = threadOf(heard)
  if (await inTransaction(context.pool, (tx) => lockActiveRun(tx, thread))) return BUSY
  if (await othersRead(context, heard)) return NO_PROMPTS
  const made = await askPrompt(context, key, { rest, made: heard.made })
  if (typeof made === 'string') return made
  const { text, message, also } = asksWith(await context.speak.name(heard.user), made)
  const { channel } = heard
  await sayForSure(context, { owner: key, part: 'question', channel, thread: thread.ts, message })
  return { message: { ...heard, text }, also }
}

/** Said where a call or a prompt is asked for while something else is at work. */
export const BUSY =
  'Something else is at work in this thread, so I did not run this. Run it when that has ended, or in a new message.'
