/** What a document comes to before it is kept: without its secrets, cut into passages that know their places. Pure. */
import { type Chunk, chunk, type SourceDocument } from './chunk.ts'
import { placeLines } from './place.ts'
import { removeSecrets } from './secrets.ts'

/** `head`: the beginning of the text, enough to tell its language by. `removed`: secrets that were taken out. */
export type Prepared = { title: string; head: string; chunks: Chunk[]; removed: number }

/** Characters of `head`. */
const HEAD = 4_000

/** @param link the template of the source's link, whose lines are filled in for each passage */
export function prepare(read: SourceDocument, link: string | undefined): Prepared {
  const { document, removed } = removeSecrets(read)
  const { title, text } = document
  return { title, head: text.slice(0, HEAD), chunks: placeLines(text, chunk(document), link), removed }
}
