/** What a run reads before the model is asked: what was said in its thread, and the files that came with a message. */
import {
  fitFiles,
  fitSaid,
  type ReadFile,
  type Said,
  type SharedFile,
  type Shares,
  type Viewing,
} from '../core/enclosed.ts'
import { Fault } from '../core/fault.ts'
import { type Bearer, viewer } from '../core/reading.ts'
import type { StepOf } from '../core/run.ts'
import { withoutSecrets } from '../core/secrets.ts'
import type { Earlier, Reading } from '../slack/reading.ts'
import type { Speak } from '../slack/speak.ts'
import { formatFor, readBytes } from '../sources/bytes.ts'
import { openReader, type Reader } from '../sources/reader.ts'
import type { Run } from '../store/runs.ts'
import type { Work } from './lease.ts'
import { canRead } from './seeing.ts'

export type ReadingContext = { reading: Reading; speak: Pick<Speak, 'name' | 'roster'> }

/** Slack may take so long to tell what was said; all files together may, to come and be taken apart; in ms. */
const SAID_MS = 15_000
const FILES_MS = 45_000
/** Messages that are looked at: the first, and the newest. More would not fit anyway. */
const MOST_SAID = 200
/** Characters of one file that are looked at. */
const LONGEST = 400_000
/** More people than this stay ids: each may be a call of Slack. */
const MOST_NAMES = 40
/** Files of earlier messages that are read, the newest first. */
const EARLIER_FILES = 5

/** Reads all that came with a message. Throws only the signal's reason: what cannot be read is said in the step. */
export async function readEnclosed(
  context: ReadingContext,
  { run, signal }: Pick<Work, 'run' | 'signal'>,
  message: Bearer,
  shares: Shares,
): Promise<StepOf<'read'>> {
  const began = performance.now()
  const limits = { signal, shares }
  const told = message.kind === 'asked' ? await readAround(context, run, message, limits) : undefined
  const own = (message.files ?? []).map((file) => ({ file, from: message.user }))
  const files = await readFiles(context, [...own, ...(told?.files ?? [])], limits)
  return stepOf(message.n, told, files, began)
}

/** Reads what the person has open beside their message, for the call with which the model asked for it. */
export async function readViewing(
  context: ReadingContext,
  { run, steps, signal }: Pick<Work, 'run' | 'steps' | 'signal'>,
  call: string,
  shares: Shares,
): Promise<StepOf<'read'>> {
  const began = performance.now()
  const limits = { signal, shares }
  const message = viewer(steps)
  const told = message?.viewing && run.dm ? await readOpen(context, run, message.viewing, limits) : NOTHING
  const files = await readFiles(context, told.files, limits)
  return { ...stepOf(message?.n ?? 1, told, files, began), call }
}

function stepOf(of: number, told: Told | undefined, files: ReadFile[], began: number): StepOf<'read'> {
  const { said, left, lack } = told ?? {}
  return {
    kind: 'read',
    at: new Date().toISOString(),
    of,
    ...(said ? { said } : {}),
    ...(left ? { left } : {}),
    files,
    ...(lack ? { lack } : {}),
    ms: Math.round(performance.now() - began),
  }
}

const NOTHING: Told = { files: [], lack: 'Nothing that I can read is open there' }

async function readOpen(
  context: ReadingContext,
  run: Run,
  { channel, ts }: Viewing,
  limits: Bounds,
): Promise<Told> {
  if (!(await canRead(context.speak, channel, run.asker))) return NOTHING
  const read = (ends: AbortSignal) =>
    ts ? context.reading.thread(channel, ts, undefined, ends) : context.reading.newest(channel, ends)
  return (await readEarlier(context, read, limits)) ?? NOTHING
}

/** How much is told, and until when. */
type Bounds = { signal: AbortSignal; shares: Shares }
type Attached = { file: SharedFile; from: string }
type Told = { said?: Said[]; left?: number; files: Attached[]; lack?: string }

/** What was said before the question in its thread; or where it is about a message elsewhere, what was said there. */
async function readAround(
  context: ReadingContext,
  run: Run,
  { before, about, ts }: StepOf<'asked'>,
  limits: Bounds,
): Promise<Told | undefined> {
  if (before) return readThread(context, { channel: run.channel, ts: run.thread }, ts, limits)
  // What is told to one person alone may be of anywhere they may read.
  if (!about || !run.dm) return undefined
  if (!(await canRead(context.speak, about.channel, run.asker))) return { files: [] }
  const told = await readThread(context, about, undefined, limits)
  return told.said ? told : { files: [] }
}

async function readThread(
  context: ReadingContext,
  thread: { channel: string; ts: string },
  before: string | undefined,
  limits: Bounds,
): Promise<Told> {
  const read = (ends: AbortSignal) => context.reading.thread(thread.channel, thread.ts, before, ends)
  const lack = 'Slack does not let me read what was said here before'
  return (await readEarlier(context, read, limits)) ?? { files: [], lack }
}

/** Undefined where we may not read it. */
async function readEarlier(
  context: ReadingContext,
  read: (ends: AbortSignal) => Promise<Earlier | 'not-ours'>,
  { signal, shares }: Bounds,
): Promise<Told | undefined> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(SAID_MS)])
  try {
    const earlier = await Promise.race([read(ends), lateFor(ends)])
    if (earlier !== undefined)
      return earlier === 'not-ours' ? undefined : await tellEarlier(context, earlier, shares)
  } catch (error) {
    if (!(error instanceof Fault)) throw error
  }
  signal.throwIfAborted()
  return { files: [], lack: 'What was said before could not be read from Slack just now' }
}

/** Comes when it is too late. */
function lateFor(signal: AbortSignal): Promise<undefined> {
  if (signal.aborted) return Promise.resolve(undefined)
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }))
}

/** What was said, with names in place of ids and without secrets, as far as it fits. */
async function tellEarlier(context: ReadingContext, { said, whole }: Earlier, shares: Shares): Promise<Told> {
  const near = said.length > MOST_SAID ? [...said.slice(0, 1), ...said.slice(1 - MOST_SAID)] : said
  const fitted = fitSaid(
    near.map(({ files: _, ...one }) => ({ ...one, text: withoutSecrets(one.text) })),
    shares.said,
  )
  const names = await readNames(context, [...new Set(fitted.said.flatMap(idsIn))])
  const files = said
    .toReversed()
    .flatMap((one) => one.files.map((file) => ({ file, from: one.from })))
    .slice(0, EARLIER_FILES)
  return {
    said: fitted.said.map((one) => named(one, names)),
    left: fitted.left + said.length - near.length,
    files,
    ...(whole ? {} : { lack: 'The thread is longer than I can read' }),
  }
}

/** People and groups as they stand in messages. */
const TOKENS_IN_TEXT = /<(?:@([UW][A-Z0-9]+)|!subteam\^(S[A-Z0-9]+))>/g

function idsIn({ from, by, text }: Said): string[] {
  const spoken = [...text.matchAll(TOKENS_IN_TEXT)].flatMap(([, user, group]) => user ?? group ?? [])
  return by === 'person' ? [from, ...spoken] : spoken
}

async function readNames({ speak }: ReadingContext, ids: readonly string[]): Promise<Map<string, string>> {
  const names = await Promise.all(
    ids.slice(0, MOST_NAMES).map(async (id) => [id, await speak.name(id)] as const),
  )
  return new Map(names.filter(([id, name]) => name !== id))
}

function named(one: Said, names: ReadonlyMap<string, string>): Said {
  const name = one.by === 'person' ? names.get(one.from) : undefined
  const text = one.text.replace(TOKENS_IN_TEXT, (token, user?: string, group?: string) => {
    const known = names.get(user ?? group ?? '')
    return known ? `@${known.replace(/^@/, '')}` : token
  })
  return { ...one, text, ...(name ? { name } : {}) }
}

/** A reader of their own: one that takes long, or breaks it, costs nobody else anything. */
async function readFiles(
  context: ReadingContext,
  attached: readonly Attached[],
  { signal, shares }: Bounds,
): Promise<ReadFile[]> {
  const known = [...new Map(attached.map((one) => [one.file.id, one])).values()]
  if (known.length === 0) return []
  const ends = AbortSignal.any([signal, AbortSignal.timeout(FILES_MS)])
  const late = lateFor(ends)
  await using reader = openReader({ textMs: 5_000, binaryMs: 20_000, memoryMb: 256 })
  const files = await Promise.all(
    known.map(async (one): Promise<ReadFile> => {
      const read = await Promise.race([readFile(context, reader, one, ends), late])
      return read ?? { name: one.file.name, from: one.from, why: 'it took too long to read' }
    }),
  )
  signal.throwIfAborted()
  return fitFiles(files, shares.files)
}

async function readFile(
  { reading }: ReadingContext,
  reader: Reader,
  { file: known, from }: Attached,
  ends: AbortSignal,
): Promise<ReadFile> {
  const file = await reading.describe(known, ends)
  if ('why' in file) return { name: known.name, from, why: file.why }
  const { name } = file
  const as = formatFor(name, file.type)
  if ('why' in as) return { name, from, why: as.why }
  const bytes = await reading.file(file, as.most, ends)
  if ('why' in bytes) return { name, from, why: bytes.why }
  const document = await readBytes(reader, name, as.format, bytes)
  if ('why' in document) return { name, from, why: document.why }
  const { length } = document.text
  const text = withoutSecrets(document.text.slice(0, LONGEST).toWellFormed())
  return { name, from, text: length > LONGEST ? `${text}\n…` : text }
}
