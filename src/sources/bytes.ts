/** A file whose bytes are at hand, with the name it was given and what it is said to be. */
import type { SourceDocument } from '../core/chunk.ts'
import { decodeText } from './decode.ts'
import type { Unreadable } from './entry.ts'
import { BINARY, type Format, formatOf, formatOfType, LARGEST } from './format.ts'
import type { Reader } from './reader.ts'

/** The largest file that is read where somebody waits for it, in bytes. */
const MOST = 20 * 1024 * 1024

/** As what a file is read, by its name, else by its media type, and how large it may be in bytes; or why it is not read. */
export function formatFor(
  name: string,
  type: string | undefined,
): { format: Format; most: number } | Unreadable {
  const byName = formatOf(name)
  const secret = typeof byName === 'object' && /secrets|generated/.test(byName.why)
  const format = typeof byName === 'object' && !secret ? (formatOfType(type ?? '') ?? byName) : byName
  return typeof format === 'object' ? format : { format, most: Math.min(LARGEST[format], MOST) }
}

/** Takes the bytes apart. Never fails: what cannot be read says why. */
export async function readBytes(
  reader: Reader,
  file: string,
  format: Format,
  bytes: Uint8Array,
): Promise<SourceDocument | Unreadable> {
  if (bytes.length === 0) return { why: 'it is empty' }
  const content = BINARY.has(format) ? bytes : decodeText(bytes)
  if (content === undefined) return { why: 'it is not text, or in an encoding I do not know' }
  const document = await reader.read({ file, format, content })
  return !('why' in document) && document.text.trim() === '' ? { why: 'it holds no text' } : document
}
