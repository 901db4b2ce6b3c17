/** Sharing an answer that only its asker saw. */
import type { ModalView } from '@slack/types'
import { Fault } from '../core/fault.ts'
import type { HeardOf } from '../core/heard.ts'
import type { Cited, Numbered, StepOf } from '../core/run.ts'
import { layOut } from '../slack/blocks/answer.ts'
import { sayMessage } from '../slack/blocks/say.ts'
import { type Hidden, sharedMessage, shareView } from '../slack/blocks/share.ts'
import type { Viewer } from '../slack/opening.ts'
import type { Speak } from '../slack/speak.ts'
import { findRun, type Run, readSteps } from '../store/runs.ts'
import type { Posted } from './commands/question.ts'
import { passagesOf } from './ending.ts'
import { type ReadableContext, readablePassages } from './knowledge/readable.ts'
import { type Mouth, sayForSure } from './say.ts'

export type ShareContext = ReadableContext & Mouth & { speak: Pick<Speak, 'name'> }

/** Slack waits 3 s for a modal; finding out who may read what may take so long, in ms. What is not known then counts as hidden. */
const PATIENCE_MS = 1_500

const GONE = 'I do not know this answer any more, so there is nothing to share.'

/** The modal that says what sharing would mean; a sentence where there is nothing to share. */
export async function openShare(
  context: ShareContext,
  subject: string,
  viewer: Viewer,
): Promise<ModalView | string> {
  const answer = await findAnswer(context, viewer, subject)
  if (!answer) return GONE
  const { hidden } = await weighHidden(context, answer)
  return shareView({ subject: answer.run.id, channel: answer.run.channel }, hidden)
}

/**
 * Shares in the way that was chosen: the question to be asked again in the channel, `shared`, or a sentence why not.
 * What everybody may read is looked at again, for it may have changed since the modal was opened.
 */
export async function shareAnswer(
  context: ShareContext,
  key: string,
  heard: HeardOf<'filled'>,
): Promise<Posted | 'shared' | string> {
  const answer = await findAnswer(context, heard, heard.subject)
  if (!answer) return GONE
  const { workspace, user } = heard
  const { channel } = answer.run
  const who = await context.speak.name(user)
  const { text } = answer.asked
  const say = (part: string, message: ReturnType<typeof sayMessage>, thread?: string) =>
    sayForSure(context, { owner: key, part, channel, message, ...(thread ? { thread } : {}) })
  try {
    if (heard.values.way === 'again') {
      const { ts } = await say('question', sayMessage(`${who} asks: ${text}`))
      const place = { workspace, channel, user, ts }
      return {
        message: { kind: 'message', ...place, text, mention: true, forOther: false, dm: false },
        also: {},
      }
    }
    const { hidden, cited } = await weighHidden(context, answer)
    const secret = hidden.pages.length > 0 || hidden.tools
    if (secret && heard.values.way !== 'confirmed')
      return 'Not everybody there may read what this was made from any more, so I did not post it. Press Share again.'
    const { ts } = await say('shared', sharedMessage(who, text, secret))
    const { files, messages, unfiled } = layOut({ markdown: answer.end.text, cited, run: answer.run.id })
    for (const [i, message] of (files.length > 0 ? unfiled() : messages).entries())
      await say(`shared:${i}`, message, ts)
    return 'shared'
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    return 'I cannot write in this channel. Invite me with `/invite @quorum`, then press Share again.'
  }
}

type Answer = { run: Run; asked: StepOf<'asked'>; end: StepOf<'finished'>; steps: Numbered[] }

/** The private answer of whoever wants to share it. */
async function findAnswer(
  { pool }: ShareContext,
  by: { workspace: string; user: string },
  subject: string,
): Promise<Answer | undefined> {
  const run = await findRun(pool, by.workspace, subject)
  if (!run?.reply || run.asker !== by.user) return undefined
  const steps = await readSteps(pool, run.id)
  const [asked, end] = [steps[0], steps.at(-1)]
  if (asked?.kind !== 'asked' || end?.kind !== 'finished' || end.outcome !== 'answered') return undefined
  return { run, asked, end, steps }
}

/** What of an answer's making not everybody in its channel may read just now, and the passages they may. */
async function weighHidden(
  context: ShareContext,
  { run, steps }: Answer,
): Promise<{ hidden: Hidden; cited: Cited[] }> {
  const passages = passagesOf(steps)
  const of = { workspace: run.workspace, readers: `channel:${run.channel}` }
  const ids = passages.map((one) => one.passage)
  const readable = await readablePassages(context, of, ids, PATIENCE_MS)
  const titles = passages.flatMap((one) => (readable.has(one.passage) ? [] : [one.title]))
  const tools = steps.some((s) => s.kind === 'returned')
  return {
    hidden: { pages: [...new Set(titles)], tools },
    cited: passages.filter((one) => readable.has(one.passage)),
  }
}
