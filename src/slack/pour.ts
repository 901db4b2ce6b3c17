/**
 * A plan and a text that grow in native streams: only what is new is sent, and before Slack ends a stream the next one
 * goes on, with an open code block closed in the one and opened again in the other.
 */
import type { AnyChunk } from '@slack/types'
import { cutBefore, openFence } from '../core/fence.ts'
import type { Plan } from '../core/plan.ts'
import { planChunks, type Shown } from './blocks/plan.ts'
import type { Streams } from './stream.ts'

/** Slack ends a stream at 10,600 bytes of text. */
const MOST_BYTES = 9000
/** What one addition brings at most, in characters: people read along. */
const MOST_AT_ONCE = 2500

/** A message of a pour: where its text begins in the whole, and what opens its code block again. */
export type Poured = { ts: string; from: number; lead: string; holdsText: boolean }

export type Pour = {
  /**
   * Shows a newer state; `text` is the whole, harmless already. `dropped`: come again, Slack limits us or there is
   * more than one addition takes. `over`: nothing more goes into this pour; its last message is to be edited, or where
   * that has ended in good order, another one begun.
   */
  grow(plan: Plan, text: string): Promise<'sent' | 'dropped' | 'over'>
  /** Ends the stream with what is new, as far as it takes it; says whether that told its session, too. */
  end(plan: Plan, text: string, session: 'processing' | 'suspended' | 'active'): Promise<boolean>
  /** The messages so far, the oldest first. */
  messages(): Poured[]
  /** What the text began with when it was shown. */
  written(): string
}

export type Means = {
  streams: Pick<Streams, 'append' | 'stop'>
  channel: string
  /** A stream is followed by another before it is this old, in ms; Slack ends one at 300,000. */
  streamMs: number
  /** Begins the next stream and gives its ts; undefined where there is none to be had. */
  next(chunks: AnyChunk[]): Promise<string | undefined>
}

/** What a stream begins with: a plan, and as much of a text as one addition takes. */
export function beginningOf(plan: Plan, text: string, lead = '') {
  const piece = pieceOf(text)
  const { chunks, shown } = planChunks(plan, { tasks: new Map() })
  return { chunks: withText(chunks, piece === '' ? '' : lead + piece), shown, piece }
}

/** `begun`: the stream to pour into, and what it shows already. */
export function openPour(
  means: Means,
  begun: { ts: string; since: number; shown: Shown; text: string },
): Pour {
  const { streams, channel } = means
  let written = begun.text
  let now: Poured | undefined = { ts: begun.ts, from: 0, lead: '', holdsText: written !== '' }
  let { since, shown } = begun
  let bytes = Buffer.byteLength(written)
  const messages: Poured[] = [now]

  async function add(to: Poured, plan: Plan, rest: string): Promise<'sent' | 'dropped' | 'over'> {
    const told = planChunks(plan, shown)
    const piece = pieceOf(rest)
    const chunks = withText(told.chunks, leading(to, piece))
    if (chunks.length === 0) return 'sent'
    const added = await streams.append(channel, to.ts, chunks)
    if (added !== 'sent') return added
    took(to, piece)
    shown = told.shown
    return piece.length < rest.length ? 'dropped' : 'sent'
  }

  function took(to: Poured, piece: string): void {
    bytes += Buffer.byteLength(leading(to, piece))
    to.holdsText ||= piece !== ''
    written += piece
  }

  /** Ends the stream behind a line of `rest`, and goes on in the next. */
  async function follow(
    from: Poured,
    plan: Plan,
    rest: string,
    most: number,
  ): Promise<'sent' | 'dropped' | 'over'> {
    const line = rest.slice(0, most).lastIndexOf('\n') + 1
    const head = rest.slice(0, line > 0 ? line : cutBefore(rest, most))
    const own = from.lead + written.slice(from.from) + head
    const fence = openFence(own)
    const closing = fence ? `${own.endsWith('\n') ? '' : '\n'}${fence.close}` : ''
    const last = leading(from, head) + closing
    await streams.stop(channel, from.ts, withText(doneChunks(plan, shown), last), 'processing')
    took(from, head)
    now = undefined
    const lead = fence ? `${fence.open}\n` : ''
    const beginning = beginningOf(plan, rest.slice(head.length), lead)
    const ts = await means.next(beginning.chunks)
    if (ts === undefined) return 'over'
    now = { ts, from: written.length, lead, holdsText: false }
    messages.push(now)
    ;({ shown } = beginning)
    since = Date.now()
    bytes = 0
    took(now, beginning.piece)
    return beginning.piece.length + head.length < rest.length ? 'dropped' : 'sent'
  }

  return {
    async grow(plan, text) {
      if (!now || !text.startsWith(written)) return 'over'
      const rest = text.slice(written.length)
      const room = MOST_BYTES - bytes
      const isOld = Date.now() - since >= means.streamMs
      // A plan alone need not be a stream.
      if (isOld && rest === '' && !now.holdsText) return 'over'
      // A character takes three bytes at most for each of its UTF-16 units.
      const most = Math.min(rest.length, Math.floor(Math.max(0, room) / 3))
      if (isOld || Buffer.byteLength(pieceOf(rest)) > room) return follow(now, plan, rest, most)
      return add(now, plan, rest)
    },
    async end(plan, text, session) {
      if (!now) return false
      const ending = now
      const rest = text.startsWith(written) ? text.slice(written.length) : ''
      const piece = Buffer.byteLength(rest) <= MOST_BYTES - bytes ? rest : ''
      const last = leading(ending, piece)
      const ended = await streams.stop(channel, ending.ts, withText(doneChunks(plan, shown), last), session)
      now = undefined
      took(ending, piece)
      return ended === 'stopped'
    },
    messages: () => messages,
    written: () => written,
  }
}

/** A plan that ends under a running row goes wrong, so no row is left running. */
function doneChunks(plan: Plan, shown: Shown): AnyChunk[] {
  return planChunks({ ...plan, done: true }, shown).chunks
}

function pieceOf(text: string): string {
  return text.slice(0, cutBefore(text, MOST_AT_ONCE))
}

/** The first text of a message opens the code block again that the message before was cut in. */
function leading({ holdsText, lead }: Poured, piece: string): string {
  return holdsText || piece === '' ? piece : lead + piece
}

function withText(chunks: AnyChunk[], text: string): AnyChunk[] {
  return text === '' ? chunks : [...chunks, { type: 'markdown_text', text }]
}
