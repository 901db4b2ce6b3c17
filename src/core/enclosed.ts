/** What a run is given to read beside the words it was asked with: what was said before, files, quotes. Pure. */
import { z } from 'zod'
import { estimateTokens } from './chunk.ts'

/** A file that came with a message, as Slack describes it; what it holds is read later. */
export const SharedFile = z.object({
  id: z.string(),
  name: z.string(),
  /** Its media type. */
  type: z.string().optional(),
  /** In bytes. */
  size: z.int().nonnegative().optional(),
  /** Where its bytes are. Absent where Slack must be asked for that first. */
  url: z.string().optional(),
})
export type SharedFile = z.infer<typeof SharedFile>

/** What a person had open beside a direct message to us: a channel, or with `ts` a message or thread in it. */
export const Viewing = z.object({ channel: z.string(), ts: z.string().optional() })
export type Viewing = z.infer<typeof Viewing>

/** What came with a message. `quoted`: words of others that stand in it, or that it is about. */
export const Enclosed = z.object({
  files: z.array(SharedFile).optional(),
  quoted: z.string().optional(),
  /** Whose the quoted words are, where Slack tells: a person's id, or the name of an app. */
  quotedBy: z.string().optional(),
  /** Where the quoted words stand, which is somewhere else: that thread is read first, if the asker may read it. */
  about: z.object({ channel: z.string(), ts: z.string() }).optional(),
  viewing: Viewing.optional(),
})
export type Enclosed = z.infer<typeof Enclosed>

/** One message that was said before. `from` is a person's id, or the name another app goes by. */
export const Said = z.object({
  from: z.string(),
  name: z.string().optional(),
  by: z.enum(['person', 'app', 'us']),
  ts: z.string(),
  text: z.string(),
  /** It holds more than its author's own words: quotes, or what its links unfold to. */
  quotes: z.boolean().optional(),
})
export type Said = z.infer<typeof Said>

/** The message that somebody pointed at with its shortcut. */
export type Pointed = Pick<Said, 'ts' | 'text'> & {
  from?: string
  thread: string
  files: SharedFile[]
  responseUrl: string
}

/** A file that was read, or `why` not, which begins with "it". `of`: tokens of the whole, where only its beginning is told. */
export const ReadFile = z.object({
  name: z.string(),
  /** Who shared it. */
  from: z.string(),
  text: z.string().optional(),
  of: z.int().positive().optional(),
  why: z.string().optional(),
})
export type ReadFile = z.infer<typeof ReadFile>

/** How many tokens of each are told: what was said before, all files of a message, what earlier runs of the thread read. */
export type Shares = { said: number; files: number; past: number }

/** @param context tokens the model can read and write in one call, where that is known */
export function sharesOf(context: number | undefined): Shares {
  const share = (most: number, part: number) => Math.floor(Math.min(most, (context ?? most / part) * part))
  return { said: share(4_000, 0.12), files: share(12_000, 0.3), past: share(12_000, 0.2) }
}

/** Most of one message that is told, in tokens. */
const ONE_MESSAGE = 1_000

/**
 * Of a conversation in its order: its first message, and as many of the newest as fit into `tokens` with it; and how
 * many were left out between them.
 */
export function fitSaid(said: readonly Said[], tokens: number): { said: Said[]; left: number } {
  const longest = Math.min(ONE_MESSAGE, Math.floor(tokens / 3))
  const short = said.map((one) => ({ ...one, text: cutToTokens(one.text, longest).text }))
  const [first, ...rest] = short
  if (!first) return { said: [], left: 0 }
  let room = tokens - costOf(first)
  const kept: Said[] = []
  for (const one of rest.toReversed()) {
    room -= costOf(one)
    if (room < 0) break
    kept.unshift(one)
  }
  return { said: [first, ...kept], left: rest.length - kept.length }
}

/** A message with the frame that it stands in. */
function costOf({ text, from, name = '' }: Said): number {
  return estimateTokens(`${from}${name}${text}`) + 20
}

/** Texts cut so that they hold no more than `tokens` together: what is short stays whole, and leaves its room to the others. */
export function fitFiles(files: readonly ReadFile[], tokens: number): ReadFile[] {
  const sizes = files.map(({ text = '' }) => measure(text, tokens).of)
  const order = sizes.map((_, i) => i).toSorted((a, b) => (sizes[a] ?? 0) - (sizes[b] ?? 0))
  const fitted = [...files]
  let room = tokens
  for (const [at, i] of order.entries()) {
    const file = files[i]
    if (!file?.text) continue
    const { text, of } = cutToTokens(file.text, Math.floor(room / (order.length - at)))
    room -= estimateTokens(text)
    fitted[i] = { ...file, text, ...(of ? { of } : {}) }
  }
  return fitted
}

/**
 * The beginning of a text that holds no more than `tokens`, up to the end of a line where one is near; `of`: tokens of
 * all of it, about.
 */
export function cutToTokens(text: string, tokens: number): { text: string; of?: number } {
  const { head, of } = measure(text, tokens)
  if (of <= tokens) return { text }
  let cut = head
  for (let size = estimateTokens(cut); size > tokens; size = estimateTokens(cut))
    cut = cut.slice(0, Math.floor(cut.length * Math.min(0.98, tokens / size))).toWellFormed()
  const end = cut.lastIndexOf('\n')
  return { text: (end > cut.length * 0.8 ? cut.slice(0, end) : cut).trimEnd(), of }
}

/** Characters that are looked at for a token that may be told: of what is longer only the beginning is counted. */
const PER_TOKEN = 12

/** The part of a text that can matter where `tokens` of it are told, and about how many tokens all of it is. */
function measure(text: string, tokens: number): { head: string; of: number } {
  const head = text.slice(0, Math.max(1, tokens) * PER_TOKEN)
  const size = estimateTokens(head)
  return { head, of: head.length < text.length ? Math.ceil((size * text.length) / head.length) : size }
}
