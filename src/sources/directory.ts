/** A directory of Markdown and text files, read as documents. */
import { constants } from 'node:fs'
import { open, readdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../core/fault.ts'
import { type Entry, type Skipped, skip } from './entry.ts'
import { dateOfMarkdown } from './markdown.ts'
import { type MarkdownReader, openMarkdownReader } from './markdown-reader.ts'
import { readPlain } from './plain.ts'

const MARKDOWN = /\.(md|markdown)$/i
const READABLE = /\.(md|markdown|txt)$/i
const LARGEST = 2 * 1024 * 1024
const LONGEST_PATH = 1000

/**
 * Reads the `.md`, `.markdown` and `.txt` files under a directory, in the order of their paths, one at a time.
 * Names that begin with a dot, and `node_modules`, are passed over in silence; what looks like a document and
 * is not one (too large, not UTF-8, a link to somewhere else) comes as `skipped`, with the reason.
 * Paths are relative to the directory, with `/`.
 *
 * @throws Fault `source-unreadable` where the directory itself cannot be read.
 */
export async function* readDirectory(directory: string): AsyncGenerator<Entry> {
  const root = await realpath(directory).catch((cause) => {
    throw unreadable(directory, cause)
  })
  await using markdown = openMarkdownReader()
  for await (const found of walk(root, '', new Set([root]))) {
    yield 'skipped' in found ? found : await readOne(root, found.file, markdown)
  }
}

function unreadable(directory: string, cause: unknown): Fault {
  return new Fault('source-unreadable', `${directory} cannot be read: ${reasonOf(cause)}.`, { cause })
}

type Place = { file: string } | { skipped: Skipped }

/** Everything below `at`, by name. `seen` holds the real paths of directories, so that links make no rings. */
async function* walk(root: string, at: string, seen: Set<string>): AsyncGenerator<Place> {
  const here = path.join(root, at)
  let entries: Awaited<ReturnType<typeof list>>
  try {
    entries = await list(here)
  } catch (cause) {
    if (at === '') throw unreadable(root, cause)
    return yield skip(`${at}/`, `the directory cannot be read: ${reasonOf(cause)}`, true)
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue
    const file = path.posix.join(at, entry.name)
    if (entry.isSymbolicLink()) yield* follow(root, file, seen)
    else if (entry.isDirectory()) yield* enter(root, file, path.join(here, entry.name), seen)
    else if (entry.isFile() && READABLE.test(entry.name)) yield { file }
  }
}

const list = (directory: string) => readdir(directory, { withFileTypes: true })

async function* enter(root: string, at: string, real: string, seen: Set<string>): AsyncGenerator<Place> {
  if (seen.has(real)) return
  seen.add(real)
  yield* walk(root, at, seen)
}

async function* follow(root: string, file: string, seen: Set<string>): AsyncGenerator<Place> {
  let real: string
  try {
    real = await realpath(path.join(root, file))
  } catch {
    if (READABLE.test(file)) yield skip(file, 'it is a link to nowhere')
    return
  }
  if (real !== root && !real.startsWith(root + path.sep)) {
    yield skip(file, 'it is a link that leads out of the directory')
    return
  }
  if (READABLE.test(file)) yield { file }
  else if (
    await list(real).then(
      () => true,
      () => false,
    )
  )
    yield* enter(root, file, real, seen)
}

async function readOne(root: string, file: string, markdown: MarkdownReader): Promise<Entry> {
  if (file.length > LONGEST_PATH) return skip(file, `its path is longer than ${LONGEST_PATH} characters`)
  let bytes: Buffer
  let changed: Date
  try {
    // Opened by its real path and never through a link, so that a file swapped for a link leads nowhere.
    const real = await realpath(path.join(root, file))
    if (!real.startsWith(root + path.sep)) return skip(file, 'it is a link that leads out of the directory')
    await using handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const about = await handle.stat()
    if (!about.isFile()) return skip(file, 'it is not a file')
    if (about.size > LARGEST) return skip(file, `it is larger than ${LARGEST / 1024 / 1024} MB`)
    bytes = await handle.readFile()
    changed = about.mtime
  } catch (cause) {
    return skip(file, `it cannot be read: ${reasonOf(cause)}`, true)
  }
  const text = decode(bytes)
  if (text === undefined) return skip(file, 'it is not UTF-8 text')
  const isMarkdown = MARKDOWN.test(file)
  const date = (isMarkdown ? dateOfMarkdown(text) : undefined) ?? dayOf(changed)
  const read = async () => (isMarkdown ? await markdown.read(file, text) : readPlain(file, text))
  return { found: { path: file, fingerprint: text, read, ...(date === undefined ? {} : { date }) } }
}

/** Undefined for a clock that ran away: a file can be of the year 60000. */
function dayOf(date: Date): string | undefined {
  return /^\d{4}-\d{2}-\d{2}/.exec(date.toISOString())?.[0]
}

function decode(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'it is not there'
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied'
  if (code === 'ENOTDIR') return 'it is not a directory'
  return (cause as Error).message
}
