/** Word documents as documents. */
import mammoth from 'mammoth'
import type { SourceDocument } from '../core/chunk.ts'
import type { Unreadable } from './entry.ts'
import { readHtml } from './html.ts'

/** Largest size all parts of a document may unpack to, in bytes. */
const UNPACKED = 200 * 1024 * 1024

/** Reads a Word document: headings, paragraphs, lists and tables; pictures are left out. */
export async function readDocx(file: string, bytes: Uint8Array): Promise<SourceDocument | Unreadable> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.readUInt32BE(0) === 0xd0cf11e0)
    return { why: 'it is protected by a password, or an old Word file' }
  const size = unpackedSize(buffer)
  if (size === undefined) return { why: 'it is not a Word document, or broken' }
  if (size > UNPACKED) return { why: `it unpacks to more than ${UNPACKED / 1024 / 1024} MB` }
  const options = {
    convertImage: mammoth.images.imgElement(async () => ({ src: '' })),
    // Word's own names of styles; what is a title to people is one to us.
    styleMap: ["p[style-name='Title'] => h1:fresh", "p[style-name='Subtitle'] => p:fresh"],
  }
  try {
    const { value } = await mammoth.convertToHtml({ buffer }, options)
    return readHtml(file, value, { firstRowNames: true })
  } catch {
    return { why: 'it is not a Word document, or broken' }
  }
}

/** What a ZIP file says its parts unpack to together, in bytes; undefined where it is none. */
function unpackedSize(zip: Buffer): number | undefined {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  if (end < 0 || end + 22 > zip.length) return undefined
  let at = zip.readUInt32LE(end + 16)
  let size = 0
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    if (at + 46 > zip.length || zip.readUInt32LE(at) !== 0x02014b50) return undefined
    size += zip.readUInt32LE(at + 24)
    at += 46 + zip.readUInt16LE(at + 28) + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return size
}
