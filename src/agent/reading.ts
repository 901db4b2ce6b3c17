/** What a run reads before the model is asked: what was said in its thread, and the files that came with a message. */
import {
  fitFiles,
  fitSaid,
  type ReadFile,
  type Said,
  type SharedFile,
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

/** What was said before may be of so many tokens, and all files of a message together. */
const TOKENS = { said: 4_000, files: 12_000 }
/** Slack may take so long to tell what was said, and a file to come and be taken apart, in ms. */
const SAID_MS = 15_000
const FILE_MS = 40_000
/** Characters of one file that are looked at. */
const LONGEST = 400_000
/** More people than this stay ids: each may be a call of Slack. */
const MOST_NAMES = 40
/** Files of earlier messages that are read, the newest first. */
const EARLIER_FILES = 5

/** Reads all that came with a message. Throws only the signal's reason: what cannot be read is said in the step. */
export async function readEnclosed(
  context: ReadingContext,
  run: Run,
  message: Bearer,
  signal: AbortSignal,
): Promise<StepOf<'read'>> {
  const began = performance.now()
  const told = message.kind === 'asked' ? await readAround(context, run, message, signal) : undefined
  const own = (message.files ?? []).map((file) => ({ file, from: message.user }))
  const files = await readFiles(context, [...own, ...(told?.files ?? [])], signal)
  return {
    kind: 'read',
    at: new Date().toISOString(),
    of: message.n,
    ...(told?.said ? { said: told.said } : {}),
    ...(told?.left ? { left: told.left } : {}),
    files,
    ...(told?.lack ? { lack: told.lack } : {}),
    ms: Math.round(performance.now() - began),
  }
}

/** Reads what the person has open beside their message, for the call with which the model asked for it. */
export async function readViewing(
  context: ReadingContext,
  { run, steps, signal }: Pick<Work, 'run' | 'steps' | 'signal'>,
  call: string,
): Promise<StepOf<'read'>> {
  const began = performance.now()
  const message = viewer(steps)
  const told = message?.viewing && run.dm ? await readOpen(context, run, message.viewing, signal) : NOTHING
  const files = await readFiles(context, told.files, signal)
  return {
    kind: 'read',
    at: new Date().toISOString(),
    of: message?.n ?? 1,
    call,
    ...(told.said ? { said: told.said } : {}),
    ...(told.left ? { left: told.left } : {}),
    files,
    ...(told.lack ? { lack: told.lack } : {}),
    ms: Math.round(performance.now() - began),
  }
}

const NOTHING: Told = { files: [], lack: 'Nothing that I can read is open there' }

async function readOpen(
  context: ReadingContext,
  run: Run,
  { channel, ts }: Viewing,
  signal: AbortSignal,
): Promise<Told> {
  if (!(await canRead(context.speak, channel, run.asker))) return NOTHING
  const read = (ends: AbortSignal) =>
    ts ? context.reading.thread(channel, ts, undefined, ends) : context.reading.newest(channel, ends)
  return (await readEarlier(context, read, signal)) ?? NOTHING
}

type Attached = { file: SharedFile; from: string }
type Told = { said?: Said[]; left?: number; files: Attached[]; lack?: string }

/** What was said before the question in its thread; or where it is about a message elsewhere, what was said there. */
async function readAround(
  context: ReadingContext,
  run: Run,
  { before, about, ts }: StepOf<'asked'>,
  signal: AbortSignal,
): Promise<Told | undefined> {
  if (before) return readThread(context, { channel: run.channel, ts: run.thread }, ts, signal)
  // What is told to one person alone may be of anywhere they may read.
  if (!about || !run.dm) return undefined
  if (!(await canRead(context.speak, about.channel, run.asker))) return { files: [] }
  const told = await readThread(context, about, undefined, signal)
  return told.said ? told : { files: [] }
}

async function readThread(
  context: ReadingContext,
  thread: { channel: string; ts: string },
  before: string | undefined,
  signal: AbortSignal,
): Promise<Told> {
  const read = (ends: AbortSignal) => context.reading.thread(thread.channel, thread.ts, before, ends)
  const lack = 'Slack does not let me read what was said here before'
  return (await readEarlier(context, read, signal)) ?? { files: [], lack }
}

/** Undefined where we may not read it. */
async function readEarlier(
  context: ReadingContext,
  read: (ends: AbortSignal) => Promise<Earlier | 'not-ours'>,
  signal: AbortSignal,
): Promise<Told | undefined> {
  try {
    const earlier = await read(AbortSignal.any([signal, AbortSignal.timeout(SAID_MS)]))
    return earlier === 'not-ours' ? undefined : await tellEarlier(context, earlier)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof Fault)) throw error
    return { files: [], lack: 'What was said before could not be read from Slack just now' }
  }
}

/** What was said, with names in place of ids and without secrets, as far as it fits. */
async function tellEarlier(context: ReadingContext, { said, whole }: Earlier): Promise<Told> {
  const fitted = fitSaid(
    said.map(({ files: _, ...one }) => ({ ...one, text: withoutSecrets(one.text) })),
    TOKENS.said,
  )
  const names = await readNames(context, [...new Set(fitted.said.flatMap(idsIn))])
  const files = said
    .toReversed()
    .flatMap((one) => one.files.map((file) => ({ file, from: one.from })))
    .slice(0, EARLIER_FILES)
  return {
    said: fitted.said.map((one) => named(one, names)),
    left: fitted.left,
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
  signal: AbortSignal,
): Promise<ReadFile[]> {
  const known = [...new Map(attached.map((one) => [one.file.id, one])).values()]
  if (known.length === 0) return []
  await using reader = openReader({ textMs: 5_000, binaryMs: 20_000, memoryMb: 384 })
  const files = await Promise.all(known.map((one) => readFile(context, reader, one, signal)))
  signal.throwIfAborted()
  return fitFiles(files, TOKENS.files)
}

async function readFile(
  { reading }: ReadingContext,
  reader: Reader,
  { file, from }: Attached,
  signal: AbortSignal,
): Promise<ReadFile> {
  const { name } = file
  const as = formatFor(name, file.type)
  if ('why' in as) return { name, from, why: as.why }
  const ends = AbortSignal.any([signal, AbortSignal.timeout(FILE_MS)])
  const bytes = await reading.file(file, as.most, ends)
  if ('why' in bytes) return { name, from, why: bytes.why }
  const document = await readBytes(reader, name, as.format, bytes)
  if ('why' in document) return { name, from, why: document.why }
  const { length } = document.text
  const text = withoutSecrets(document.text.slice(0, LONGEST).toWellFormed())
  return { name, from, text: length > LONGEST ? `${text}\n…` : text }
}
