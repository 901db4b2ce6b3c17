/** A directory of files, read as documents. */
import { readdir, realpath } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../core/fault.ts'
import { type Entry, type Skipped, skip } from './entry.ts'
import { isWanted, lookAt, reasonOf, type Wanted } from './file.ts'
import { formatOf } from './format.ts'
import { openReader } from './reader.ts'

/** Directories of tools, whose files are not the team's. */
const TOOLS = new Set(['node_modules', '__pycache__', 'bower_components'])

/**
 * Reads the files under a directory, in the order of their paths, one at a time. Names that begin with a dot,
 * directories of tools, and what is not wanted are passed over in silence; everything else that is no document
 * comes as `skipped`, with the reason. Paths are relative to the directory, with `/`.
 *
 * @throws Fault `source-unreadable` where the directory itself cannot be read.
 */
export async function* readDirectory(
  directory: string,
  wanted: Wanted = {},
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  const root = await realpath(directory).catch((cause) => {
    throw unreadable(directory, cause)
  })
  await using reader = openReader({ signal })
  for await (const place of walk(root, '', new Set([root]))) {
    const at = 'skipped' in place ? place.skipped.path : place.file
    if (!isWanted(at, wanted)) continue
    yield 'skipped' in place ? place : await lookAt(root, place.file, reader)
  }
  await reader.finish()
}

/** How many entries reading a directory gives; 0 where it cannot be read. */
export async function countDirectory(directory: string, wanted: Wanted = {}): Promise<number> {
  let count = 0
  try {
    const root = await realpath(directory)
    for await (const place of walk(root, '', new Set([root])))
      if (isWanted('skipped' in place ? place.skipped.path : place.file, wanted)) count += 1
  } catch {
    return 0
  }
  return count
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
    const file = path.posix.join(at, entry.name)
    if (isPassedOver(entry.name)) continue
    if (entry.isSymbolicLink()) yield* follow(root, file, seen)
    else if (entry.isDirectory()) yield* enter(root, file, path.join(here, entry.name), seen)
    else if (entry.isFile()) yield { file }
    else if (typeof formatOf(file) === 'string') yield skip(file, 'it is not a file')
  }
}

const list = (directory: string) => readdir(directory, { withFileTypes: true })

/** A file that is skipped for being a secret is named even where it hides. */
function isPassedOver(name: string): boolean {
  const format = formatOf(name)
  const secret = typeof format === 'object' && format.why.includes('secrets')
  return (name.startsWith('.') && !secret) || TOOLS.has(name)
}

async function* enter(root: string, at: string, real: string, seen: Set<string>): AsyncGenerator<Place> {
  if (seen.has(real)) return
  seen.add(real)
  yield* walk(root, at, seen)
}

async function* follow(root: string, file: string, seen: Set<string>): AsyncGenerator<Place> {
  const looksRead = typeof formatOf(file) === 'string'
  let real: string
  try {
    real = await realpath(path.join(root, file))
  } catch {
    if (looksRead) yield skip(file, 'it is a link to nowhere')
    return
  }
  if (real !== root && !real.startsWith(root + path.sep)) {
    yield skip(file, 'it is a link that leads out of the directory')
    return
  }
  const isDirectory = await list(real).then(
    () => true,
    () => false,
  )
  if (isDirectory) yield* enter(root, file, real, seen)
  else yield { file }
}
