/** A collection to measure by: documents, questions, and which documents answer which, in the form BEIR uses. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { Fault } from '../core/fault.ts'

export type Collection = {
  documents: { id: string; title: string; text: string }[]
  queries: { id: string; text: string }[]
  /** By question, then by document: how well it answers, 0 not at all. */
  grades: Map<string, Map<string, number>>
}

const id = z.union([z.string(), z.number()]).transform(String)
const named = { id: id.optional(), _id: id.optional() }
const Line = z
  .looseObject({ ...named, title: z.string().nullish(), text: z.string() })
  .transform((line, context) => {
    const key = line.id ?? line._id
    if (key === undefined) context.addIssue('it has no "id"')
    return { id: key ?? '', title: line.title ?? '', text: line.text }
  })

/**
 * Reads `corpus.jsonl` ({id, title, text} a line), `queries.jsonl` ({id, text}) and `qrels.tsv` (question, document,
 * grade) of a directory. `_id`, and a first line of column names in the table, are read too.
 *
 * @throws Fault `source-unreadable` naming the file and the line
 */
export async function readCollection(dir: string): Promise<Collection> {
  const [documents, queries, grades] = await Promise.all([
    readLines(path.join(dir, 'corpus.jsonl')),
    readLines(path.join(dir, 'queries.jsonl')),
    readGrades(path.join(dir, 'qrels.tsv')),
  ])
  return { documents, queries: queries.map(({ id, text }) => ({ id, text })), grades }
}

async function readLines(file: string) {
  return (await linesOf(file)).map(({ line, at }) => {
    try {
      return Line.parse(JSON.parse(line))
    } catch (cause) {
      const why = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message
      throw unreadable(`${file}:${at} is not a line of a collection: ${why}`, cause)
    }
  })
}

async function readGrades(file: string): Promise<Collection['grades']> {
  const grades: Collection['grades'] = new Map()
  for (const { line, at } of await linesOf(file)) {
    const [query = '', document = '', grade = '', ...more] = line.split('\t')
    if (at === 1 && Number.isNaN(Number(grade))) continue
    if (query === '' || document === '' || grade === '' || more.length > 0 || Number.isNaN(Number(grade)))
      throw unreadable(`${file}:${at} is not a question, a document and a grade with tabs between them`)
    const of = grades.get(query) ?? new Map<string, number>()
    grades.set(query, of.set(document, Number(grade)))
  }
  return grades
}

async function linesOf(file: string): Promise<{ line: string; at: number }[]> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw unreadable(`${file} cannot be read: ${(cause as Error).message}`, cause)
  })
  return text.split(/\r?\n/).flatMap((line, n) => (line.trim() === '' ? [] : [{ line, at: n + 1 }]))
}

function unreadable(sentence: string, cause?: unknown): Fault {
  return new Fault('source-unreadable', sentence, { cause })
}
