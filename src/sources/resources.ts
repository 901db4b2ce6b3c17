/** The resources of a tool server, read as documents. */
import { matches } from '../core/pattern.ts'
import type { Entry } from './entry.ts'
import { openMarkdownReader } from './markdown-reader.ts'
import { readPlain } from './plain.ts'

/** A resource as its server lists it; `modified` is an ISO time. */
export type Resource = {
  uri: string
  name: string
  mimeType?: string | undefined
  modified?: string | undefined
}

/** What is asked of the server. `read` answers undefined where a resource is no text. */
export type ResourceServer = {
  list(): Promise<Resource[]>
  read(uri: string): Promise<string | undefined>
}

const LARGEST = 2 * 1024 * 1024
const LONGEST_URI = 1000

/**
 * Reads the Markdown and text among a server's resources, in the order of their addresses, one at a time. What is
 * listed and no such thing, too large, or refused comes as `skipped`, with the reason.
 *
 * @param patterns addresses to read, `*` for any characters; all where it is left out
 * @throws whatever listing them failed with
 */
export async function* readResources(
  server: ResourceServer,
  patterns: readonly string[] | undefined,
): AsyncGenerator<Entry> {
  const listed = (await server.list()).filter(
    ({ uri }) => patterns === undefined || patterns.some((pattern) => matches(pattern, uri)),
  )
  await using markdown = openMarkdownReader()
  for (const { uri, name, mimeType, modified } of listed.sort((a, b) => (a.uri < b.uri ? -1 : 1))) {
    const why = refusal(uri, mimeType)
    if (why) {
      yield { skipped: { path: uri.slice(0, LONGEST_URI), why, unsure: false } }
      continue
    }
    const text = await server.read(uri).catch((error: Error) => error)
    if (text instanceof Error) {
      yield { skipped: { path: uri, why: `it cannot be read: ${text.message}`, unsure: true } }
    } else if (text === undefined || text.length > LARGEST || text.includes('\0')) {
      const large = text !== undefined && text.length > LARGEST
      yield { skipped: { path: uri, why: large ? 'it is larger than 2 MB' : 'it is no text', unsure: false } }
    } else {
      const isMarkdown = mimeType === 'text/markdown' || /\.(md|markdown)$/i.test(uri)
      const read = async () => {
        const document = isMarkdown ? await markdown.read(uri, text) : readPlain(uri, text)
        return name === '' || isMarkdown ? document : { ...document, title: name }
      }
      const date = modified?.slice(0, 10)
      const dated = date && /^\d{4}-\d{2}-\d{2}$/.test(date) ? { date } : {}
      yield { found: { path: uri, fingerprint: text.toWellFormed(), read, ...dated } }
    }
  }
}

function refusal(uri: string, mimeType: string | undefined): string | undefined {
  if (uri.length > LONGEST_URI) return `its address is longer than ${LONGEST_URI} characters`
  const readable = mimeType === undefined || /^text\/(markdown|plain|x-markdown)\b/.test(mimeType)
  return readable ? undefined : `it is ${mimeType}, not Markdown or plain text`
}
