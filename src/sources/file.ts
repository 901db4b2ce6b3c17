/** One file below a root, as an entry of a source. */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import path from 'node:path'
import { decodeText } from './decode.ts'
import { type Entry, skip } from './entry.ts'
import { BINARY, type Format, formatOf, LARGEST } from './format.ts'
import { dateOfMarkdown } from './markdown.ts'
import type { Reader } from './reader.ts'

/** Which files of a source are read: patterns as `docs/**`, of paths below its root. */
export type Wanted = { include?: readonly string[] | undefined; exclude?: readonly string[] | undefined }

const LONGEST_PATH = 1000

export function isWanted(file: string, { include, exclude = [] }: Wanted): boolean {
  const fits = (pattern: string) => path.matchesGlob(file, pattern)
  return (include === undefined || include.some(fits)) && !exclude.some(fits)
}

/**
 * Looks at a file: found, with its day (the one Markdown says, else when it was changed), or skipped with the
 * reason: no format that is read, too large, no text, a link out of the root, or not to be read now.
 *
 * @param root a real path
 * @param file relative to it, with `/`
 */
export async function lookAt(root: string, file: string, reader: Reader): Promise<Entry> {
  if (file.length > LONGEST_PATH)
    return skip(file.slice(0, LONGEST_PATH), `its path is longer than ${LONGEST_PATH} characters`)
  const format = formatOf(file)
  if (typeof format === 'object') return skip(file, format.why)
  let read: Awaited<ReturnType<typeof readWhole>>
  try {
    // Opened by its real path and never through a link, so that a file swapped for a link leads nowhere.
    const real = await realpath(path.join(root, file))
    if (!real.startsWith(root + path.sep)) return skip(file, 'it is a link that leads out of the directory')
    // A link by another name must not lead to what is not read by its own.
    if (typeof formatOf(real) === 'object') return skip(file, 'it is a link to what is not read')
    await using handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    read = await readWhole(handle, LARGEST[format])
  } catch (cause) {
    return skip(file, `it cannot be read: ${reasonOf(cause)}`, true)
  }
  return 'why' in read ? skip(file, read.why, read.unsure) : foundOf(file, format, read, reader)
}

type Read = { bytes: Buffer; changed: Date }

/** The bytes of a file, at most as many as it had when it was opened. */
async function readWhole(handle: FileHandle, most: number): Promise<Read | { why: string; unsure: boolean }> {
  const before = await handle.stat()
  if (!before.isFile()) return { why: 'it is not a file', unsure: false }
  if (before.size > most) return { why: `it is larger than ${most / 1024 / 1024} MB`, unsure: false }
  const bytes = Buffer.allocUnsafe(before.size)
  let length = 0
  while (length < bytes.length) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  const after = await handle.stat()
  if (length < bytes.length || after.size !== before.size || after.mtimeMs !== before.mtimeMs)
    return { why: 'it changed while it was read', unsure: true }
  return { bytes, changed: before.mtime }
}

function foundOf(file: string, format: Format, { bytes, changed }: Read, reader: Reader): Entry {
  const content = BINARY.has(format) ? bytes : decodeText(bytes)
  if (content === undefined) return skip(file, 'it is not text, or in an encoding I do not know')
  if (typeof content === 'string' && format === 'code' && isMinified(content))
    return skip(file, 'it is written for machines: its lines are thousands of characters long')
  const said = format === 'markdown' && typeof content === 'string' ? dateOfMarkdown(content) : undefined
  const date = said ?? dayOf(changed)
  return {
    found: {
      path: file,
      fingerprint: createHash('sha256').update(bytes).digest('hex'),
      size: bytes.length,
      ...(date === undefined ? {} : { date }),
      read: () => reader.read({ file, format, content }),
    },
  }
}

function isMinified(text: string): boolean {
  return text.length > 20_000 && text.length / (text.split('\n', 1000).length + 1) > 2_000
}

/** Undefined for a clock that ran away: a file can be of the year 60000. */
function dayOf(date: Date): string | undefined {
  return /^\d{4}-\d{2}-\d{2}/.exec(date.toISOString())?.[0]
}

/** A failure of the file system in words for people. */
export function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'it is not there'
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied'
  if (code === 'ENOTDIR') return 'it is not a directory'
  if (code === 'ELOOP') return 'it is a link that leads to itself'
  return (cause as Error).message
}
