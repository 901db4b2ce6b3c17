/** Saying the end of a run: an answer, or one sentence; once, whatever restarts. */
import { Fault } from '../core/fault.ts'
import type { Plan } from '../core/plan.ts'
import type { Cited } from '../core/run.ts'
import { layOut } from '../slack/blocks/answer.ts'
import { draftMessage } from '../slack/blocks/draft.ts'
import { planBlock } from '../slack/blocks/plan.ts'
import { cut } from '../slack/blocks/text.ts'
import type { Message } from '../slack/message.ts'
import type { Speak } from '../slack/speak.ts'
import type { File } from '../slack/upload.ts'
import { findPost, forgetPost, setPost } from '../store/posts.ts'
import type { Run } from '../store/runs.ts'
import { placed, readShown } from './begin.ts'
import { type Mouth, sayForSure, shareForSure } from './say.ts'
import type { Talk } from './talk.ts'

/** The end of a run in words: an answer with what it cites, which people may rate, or one sentence. */
export type Ending = {
  markdown: string
  cited: readonly Cited[]
  uncited?: string
  badge: string
  feedback?: boolean
}

export type SaidContext = Mouth & {
  speak: Pick<Speak, 'post' | 'find' | 'update' | 'remove' | 'upload' | 'findFile'>
  log: (level: 'warn', message: string, fields?: Record<string, unknown>) => void
}

/**
 * Says it. `plan` is that of the run as it ends; undefined where whoever asked wants to see nothing of the work. In a direct conversation the answer takes the place of what streamed.
 * `unsayable`: Slack will never take it. Throws the `Fault` of a passing failure.
 */
export async function sayEnd(
  context: SaidContext,
  run: Run,
  talk: Pick<Talk, 'release'>,
  { key, ending, plan }: { key: string; ending: Ending; plan: Plan | undefined },
): Promise<'said' | 'unsayable'> {
  const { files, messages, unfiled } = layOut({ ...ending, run: run.id })
  try {
    const streamed = run.dm ? await talk.release(plan ?? NOTHING) : { messages: [], text: '' }
    const filed = files.length === 0 || (await shareFiles(context, run, key, files))
    const parts = (filed ? messages : unfiled()).map((message, i) => ({
      part: filed ? `${key}:${i}` : `${key}:unfiled:${i}`,
      message,
    }))
    const isAnswer = ending.feedback === true
    // What was put above files would stand in the wrong order, and text gives way to text only.
    const fits = isAnswer && files.length === 0 && messages.every(holdsText)
    const places = fits ? streamed.messages.slice(-parts.length) : []
    await settle(context, run, streamed, { plan, places, isAnswer })
    const { answers } = run.dm ? await readShown(context.pool, run.id) : { answers: new Set<string>() }
    const takesPlace = isAnswer && (streamed.messages.length > 0 || answers.size > 0)
    for (const [i, { part, message }] of parts.entries()) {
      const whole = takesPlace && i === 0 ? under(plan, message, run) : message
      const priority = isAnswer ? 'answer' : 'error'
      await sayAt(context, run, { part, message: whole, priority, place: places[i], answers })
    }
    return 'said'
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    const { code, message: why } = error
    context.log('warn', 'Slack refused the answer for good', { run: run.id, code, why })
    return 'unsayable'
  }
}

/** An answer's first message, under the line that tells how it came about. */
function under(plan: Plan | undefined, message: Message, run: Run): Message {
  if (!plan) return message
  return { ...message, blocks: [planBlock(plan, run.id), ...(message.blocks ?? [])] }
}

function holdsText({ blocks }: Message): boolean {
  return blocks?.some(({ type }) => type === 'rich_text') ?? false
}

/** The plan of a run that nothing was shown of. */
const NOTHING: Plan = { title: 'Not finished', rows: [], done: true }

/** Clears what streamed and is not to hold the answer; where there is no answer, what was written stays, and says that it ends there. */
async function settle(
  { pool, speak, log }: SaidContext,
  run: Run,
  { messages, text }: { messages: readonly string[]; text: string },
  { plan, places, isAnswer }: { plan: Plan | undefined; places: readonly string[]; isAnswer: boolean },
): Promise<void> {
  const last = isAnswer ? undefined : messages.at(-1)
  if (last !== undefined) {
    const remark = 'This is not finished.'
    const draft = draftMessage(plan ?? NOTHING, text, run.id, remark)
    await speak.update(run.channel, last, draft).catch((error: unknown) => {
      log('warn', 'what was written before the end was not closed', { run: run.id, why: String(error) })
    })
  }
  for (const ts of messages) {
    if (places.includes(ts) || ts === last) continue
    if (await speak.remove(run.channel, ts)) await forgetPost(pool, run.id, ts)
  }
}

/** Slack takes a text of 4,000 characters in an edit; it is what notifications show, so its beginning is enough. */
const LONGEST_EDIT = 3900

type Part = {
  part: string
  message: Message
  priority: 'answer' | 'error'
  place: string | undefined
  answers: Set<string>
}

/** Says one message, in the place of one that streamed where there is one. */
async function sayAt(
  context: SaidContext,
  run: Run,
  { part, message, priority, place, answers }: Part,
): Promise<void> {
  const { pool, speak } = context
  const post = await findPost(pool, run.id, part)
  const ts = post?.ts && answers.has(post.ts) ? post.ts : post ? undefined : place
  if (ts === undefined) {
    await sayForSure(context, { ...placed(run, part, message), priority })
    return
  }
  // Noted first: whoever goes on after a crash puts the same words into the same message.
  await setPost(pool, { owner: run.id, part, channel: run.channel, ts })
  const named = { ...message, metadata: { run: run.id, part } }
  const edited = { ...named, text: cut(named.text, LONGEST_EDIT) }
  try {
    await speak.update(run.channel, ts, edited, { priority, exact: true })
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    const posted = await speak.post(run.channel, run.thread, named, { priority })
    await setPost(pool, { owner: run.id, part, channel: run.channel, ts: posted.ts })
    if (await speak.remove(run.channel, ts)) await forgetPost(pool, run.id, ts)
  }
}

/** False where Slack will not take the files: the app may lack the scope for them. Then the words are said. */
async function shareFiles(
  context: SaidContext,
  run: Run,
  key: string,
  files: readonly File[],
): Promise<boolean> {
  // What was begun without the files goes on so.
  if (await findPost(context.pool, run.id, `${key}:unfiled:0`)) return false
  const named = { owner: run.id, part: `${key}:files`, channel: run.channel, thread: run.thread }
  const comment = files.some(({ name }) => name.endsWith('.md'))
    ? 'The whole answer:'
    : 'All rows of the tables:'
  try {
    await shareForSure(context, named, files, comment)
    return true
  } catch (error) {
    if (!(error instanceof Fault) || error.retry) throw error
    context.log('warn', 'Slack refused the files of an answer; it is said without them', {
      run: run.id,
      code: error.code,
      why: error.message,
    })
    return false
  }
}
