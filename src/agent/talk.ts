/**
 * The work of a run in a direct conversation: one message that grows while it is read, with the plan and what the
 * model writes. It is a native stream where there are streams, and an edited message where there are none, where one
 * dies, and where what was shown does not hold any more.
 */
import type { AnyChunk } from '@slack/types'
import type { Plan } from '../core/plan.ts'
import { draftMessage } from '../slack/blocks/draft.ts'
import { drip, undrip } from '../slack/blocks/drip.ts'
import { planMessage } from '../slack/blocks/plan.ts'
import { slackWord } from '../slack/faults.ts'
import { openLive } from '../slack/live.ts'
import type { Message } from '../slack/message.ts'
import { beginningOf, openPour, type Pour } from '../slack/pour.ts'
import type { Speak } from '../slack/speak.ts'
import { forgetPost } from '../store/posts.ts'
import type { Run } from '../store/runs.ts'
import { type Beginning, PROGRESS, placed, readShown, startOnce, streamPart, unlessLimited } from './begin.ts'
import { type Mouth, sayForSure, sayOnce } from './say.ts'

export type TalkContext = Mouth &
  Beginning & {
    speak: Pick<Speak, 'post' | 'find' | 'update' | 'remove' | 'streams'>
    /** A stream is followed by another before it is this old, in ms. */
    streamMs?: number | undefined
  }

export type Talk = {
  show(plan: Plan): void
  /** All that the model has written for this run so far. */
  write(text: string): void
  /** Shows the newest state and ends the stream, for the run waits; `session` is what Slack shows of it. */
  park(session: 'processing' | 'suspended'): Promise<void>
  /**
   * Ends the stream. Gives the messages that hold what the model wrote, the oldest first, for its answer to be put
   * into; they are the caller's from here on.
   */
  release(plan: Plan): Promise<{ messages: string[]; text: string }>
  /** One line with the button that opens the trace, where nothing else became of the message. */
  close(plan: Plan): Promise<void>
  leave(): Promise<void>
}

const STREAM_MS = 240_000
const EDIT_MS = 1500

const NOTHING = { tasks: new Map() }

/** `tick` makes a state new in which nothing has changed but the clock. */
type State = { plan: Plan; text: string; tick: number; park?: 'processing' | 'suspended' | 'active' }

/**
 * A message that is edited: the text before its own, what opens its code block again, when it was edited. `holdsText`:
 * an answer may take its place. Not so where it was there before this worker came: what was decided stands below it.
 */
type Edited = { ts: string; before: string; lead: string; at: number; holdsText: boolean; isOurs: boolean }

/** `first`: nobody has worked on the run before. `told`: the end of a stream told Slack how its session stands. */
export function openTalk(
  context: TalkContext,
  run: Run,
  first: boolean,
  told: (session: 'processing' | 'suspended' | 'active') => void = () => {},
): Talk {
  const { speak, pool } = context
  const { channel } = run
  const streamMs = context.streamMs ?? STREAM_MS
  const open = () => openLive<State>(send, { everyMs: () => speak.streams.paceMs() })
  let live = open()
  let state: State = { plan: { title: '', rows: [], done: false }, text: '', tick: 0 }
  let pour: Pour | undefined
  let edited: Edited | undefined
  /** Messages before the one that is edited that hold text, and messages that it takes the place of. */
  let held: string[] = []
  let old: string[] = []
  let [isNew, mayStream, isAnswered] = [first, true, false]
  let aging: NodeJS.Timeout | undefined

  async function send(wanted: State, { last }: { last: boolean }): Promise<'sent' | 'dropped'> {
    const text = drip(wanted.text)
    const taken = pour || edited ? undefined : await take(wanted.plan, text, last)
    if (taken === 'busy') return 'dropped'
    if (taken === 'said') return 'sent'
    if (edited && mayStream && !wanted.park && text !== '') await restream(edited, wanted.plan, text)
    if (pour && !wanted.park) {
      const grown = await pour.grow(wanted.plan, text)
      if (grown !== 'over') return grown
    }
    if (pour) await leaveStream(pour, wanted, text)
    return edited ? edit(edited, wanted, text, last) : 'sent'
  }

  /** The message to go on with: what this run has shown already, or a new one. */
  async function take(plan: Plan, text: string, last: boolean): Promise<'taken' | 'said' | 'busy'> {
    const { shown, next } = await readShown(pool, run.id)
    const newest = shown.at(-1)
    if (!newest || (isNew && newest.part === streamPart(1)))
      return begin(streamPart(isNew ? 1 : next), { plan, text, last, since: newest?.begunAt.getTime() })
    const isOurs = isNew
    isNew = false
    old = shown.slice(0, -1).map(({ ts }) => ts)
    // Whoever opened these is gone: nobody knows what they show.
    for (const { part, ts } of shown)
      if (part !== 'plan') await speak.streams.stop(channel, ts, [], 'processing').catch(() => undefined)
    edited = { ts: newest.ts, before: '', lead: '', at: 0, holdsText: false, isOurs }
    return 'taken'
  }

  /** A stream, or where there is none a message that is edited. */
  async function begin(
    part: string,
    {
      plan,
      text,
      last,
      since = Date.now(),
    }: { plan: Plan; text: string; last: boolean; since?: number | undefined },
  ): Promise<'taken' | 'said' | 'busy'> {
    const { chunks, shown, piece } = beginningOf(plan, text)
    const started = mayStream ? await startOnce(context, run, part, chunks) : 'unavailable'
    if (started === 'busy') return 'busy'
    isNew = false
    if (started === 'unavailable') {
      mayStream = false
      const message = shownAs(plan, text)
      const saying = { ...placed(run, 'plan', message), ...PROGRESS }
      const said = await (last ? sayForSure(context, saying) : sayOnce(context, saying)).catch(unlessLimited)
      if (said === 'busy') return 'busy'
      const at = said.new ? Date.now() : 0
      edited = { ts: said.ts, before: '', lead: '', at, holdsText: text !== '', isOurs: true }
      return said.new ? 'said' : 'taken'
    }
    const { ts } = started
    watch(
      started.new ? { ts, shown, text: piece, since: Date.now() } : { ts, shown: NOTHING, text: '', since },
    )
    return 'taken'
  }

  function watch(begun: Parameters<typeof openPour>[1]): void {
    pour = openPour({ streams: speak.streams, channel, streamMs, next }, begun)
    age()
  }

  /** The stream that follows on an old or full one. */
  async function next(chunks: AnyChunk[]): Promise<string | undefined> {
    const { next: n } = await readShown(pool, run.id)
    const started = await startOnce(context, run, streamPart(n), chunks)
    age()
    return typeof started === 'string' ? undefined : started.ts
  }

  /** Looks at a stream when it has become old, though nothing has changed. */
  function age(): void {
    clearTimeout(aging)
    aging = setTimeout(() => {
      state = { ...state, tick: state.tick + 1 }
      live.show(state)
    }, streamMs + 50)
    aging.unref()
  }

  /** A stream takes the place of an edited message, which goes. */
  async function restream(current: Edited, plan: Plan, text: string): Promise<void> {
    const beginning = beginningOf(plan, text)
    const { next: n } = await readShown(pool, run.id)
    const started = await startOnce(context, run, streamPart(n), beginning.chunks)
    if (typeof started === 'string') {
      mayStream = false
      return
    }
    watch({ ts: started.ts, shown: beginning.shown, text: beginning.piece, since: Date.now() })
    edited = undefined
    old.push(current.ts)
    await clearOld()
  }

  /** From here on the last message of the pour is edited, or another one where that has ended in good order. */
  async function leaveStream(over: Pour, { plan, park }: State, text: string): Promise<void> {
    const session = park ?? 'processing'
    if (await over.end(plan, text, session)) told(session)
    clearTimeout(aging)
    const written = over.written()
    const all = over.messages()
    const current = all.at(-1)
    const texts = all.filter(({ holdsText, ts }) => holdsText && ts !== current?.ts).map(({ ts }) => ts)
    pour = undefined
    if (!current) return
    const { ts, from, lead, holdsText } = current
    edited = { ts, before: written.slice(0, from), lead, at: 0, holdsText, isOurs: true }
    held = texts
    mayStream &&= !all.some(({ holdsText }) => holdsText)
  }

  async function edit(
    current: Edited,
    { plan }: State,
    text: string,
    last: boolean,
  ): Promise<'sent' | 'dropped'> {
    if (!last && Date.now() - current.at < EDIT_MS) return 'dropped'
    current.at = Date.now()
    if (!text.startsWith(current.before)) {
      // What was shown does not hold any more: all of the text stands here from now on.
      Object.assign(current, { before: '', lead: '' })
      old.push(...held)
      held = []
    }
    const message = shownAs(plan, current.lead + text.slice(current.before.length))
    const put = (what: Message, exact: boolean) =>
      speak.update(channel, current.ts, what, { priority: 'progress', droppable: !last, exact })
    const done = await put(message, true).catch((error: unknown) => {
      const word = slackWord(error)
      if (word === undefined) throw error
      // Slack keeps a stream's text as rich text, which gives way to rich text only.
      return word === 'block_mismatch' ? put(draftMessage(plan, '', run.id), true) : put(message, false)
    })
    if (done === 'sent') current.holdsText ||= text.length > current.before.length
    await clearOld()
    return done
  }

  function shownAs(plan: Plan, text: string): Message {
    const words = undrip(text)
    return words.trim() === '' ? planMessage(plan, run.id) : draftMessage(plan, words, run.id)
  }

  async function clearOld(): Promise<void> {
    const gone = old
    old = []
    for (const ts of gone) if (await speak.remove(channel, ts)) await forgetPost(pool, run.id, ts)
  }

  return {
    show(plan) {
      state = { ...state, plan }
      live.show(state)
    },
    write(text) {
      state = { ...state, text }
      live.show(state)
    },
    async park(session) {
      state = { ...state, park: session }
      live.show(state)
      await live.flush()
    },
    async release(plan) {
      await live.leave()
      clearTimeout(aging)
      const text = drip(state.text)
      if (await pour?.end(plan, text, 'active')) told('active')
      const all = pour?.messages() ?? []
      const poured = all.filter(({ holdsText }) => holdsText)
      const holds = edited?.isOurs && edited.holdsText ? [edited.ts] : []
      const texts = [...held, ...poured.map(({ ts }) => ts), ...holds]
      live = open()
      const released = { messages: texts, text: undrip(text) }
      if (texts.length === 0) return released
      old.push(...all.flatMap(({ ts, holdsText }) => (holdsText ? [] : [ts])))
      await clearOld()
      ;[pour, edited, held] = [undefined, undefined, []]
      state = { plan, text: '', tick: 0 }
      isAnswered = true
      return released
    },
    async close(plan) {
      const isShown = pour || edited
      if (!isShown && (isAnswered || (await readShown(pool, run.id)).answers.size > 0)) return
      mayStream = false
      state = { plan, text: '', tick: 0, park: 'active' }
      live.show(state)
      await live.close()
    },
    leave() {
      clearTimeout(aging)
      return live.leave()
    },
  }
}
