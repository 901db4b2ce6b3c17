/** Made passages and their vectors: as many as wanted, the same every time, near each other in topics as real ones are. */
import { setImmediate as immediate } from 'node:timers/promises'
import type pg from 'pg'
import { toSql } from 'pgvector'
import { type Cut, putDocuments } from '../../../src/store/documents.ts'
import type { VectorTable } from '../../../src/store/vectors.ts'

export const WORKSPACE = 'T1'
const DIMENSIONS = 384
/** Real vectors of one model lie near a surface of far fewer dimensions than they have numbers. */
const LATENT = 32
const TOPICS = 2_000
const VOCABULARY = 60_000
const WORDS = 110
/** Passages of a document. */
const PASSAGES = 10

/** Who may read a document: of a thousand, so many name each audience, and nobody else reads them. */
export const AUDIENCES = [
  { scope: 'channel:C1', of: 1 },
  { scope: 'channel:C2', of: 9 },
  { scope: 'channel:C3', of: 90 },
  { scope: 'everyone', of: 900 },
]

export type Made = ReturnType<typeof openMade>

/** Everything is drawn from a seed of its own, so that any passage can be made without the ones before it. */
export function openMade() {
  const project = drawMatrix(draw(1))
  const topics = Array.from({ length: TOPICS }, (_, n) => {
    const random = draw(1_000 + n)
    return {
      at: Array.from({ length: LATENT }, () => gauss(random)),
      words: Array.from({ length: 60 }, () => wordOf(Math.floor(random() * VOCABULARY))),
    }
  })
  const passage = (n: number) => {
    const random = draw(1_000_000 + n)
    const topic = topics[Math.floor(random() * TOPICS)] as (typeof topics)[number]
    const latent = topic.at.map((value) => value + 0.45 * gauss(random))
    const words = Array.from({ length: WORDS }, () =>
      random() < 0.25 ? topic.words[Math.floor(random() ** 2 * 60)] : wordOf(zipf(random)),
    )
    return { text: words.join(' '), vector: spread(latent, project, random), latent, topic, words }
  }
  /** A question about a passage: some of its words, a vector near its own. */
  const question = (n: number) => {
    const { latent, words } = passage(n)
    const random = draw(9_000_000 + n)
    const asked = Array.from({ length: 8 }, () => words[Math.floor(random() * WORDS)])
    return {
      query: asked.join(' '),
      values: spread(
        latent.map((value) => value + 0.25 * gauss(random)),
        project,
        random,
      ),
    }
  }
  return { passage, question }
}

/** Writes passages by the way of every document, and their vectors as the model's would be. */
export async function writeMade(
  pool: pg.Pool,
  table: VectorTable,
  made: Made,
  { from, to }: { from: number; to: number },
): Promise<{ writeMs: number; vectorMs: number }> {
  let [writeMs, vectorMs] = [0, 0]
  for (let at = from; at < to; at += PASSAGES * 16) {
    const cuts: Cut[] = []
    const vectors: number[][] = []
    for (let first = at; first < Math.min(to, at + PASSAGES * 16); first += PASSAGES) {
      const passages = Array.from({ length: PASSAGES }, (_, i) => made.passage(first + i))
      cuts.push(cutOf(first, passages))
      vectors.push(...passages.map(({ vector }) => vector))
      // What is measured is how long writing holds this thread, not how long making it does.
      await immediate()
    }
    const began = performance.now()
    await putDocuments(pool, { workspace: WORKSPACE, source: 'made' }, cuts)
    const written = performance.now()
    await putMade(pool, table, cuts, vectors)
    writeMs += written - began
    vectorMs += performance.now() - written
  }
  return { writeMs, vectorMs }
}

function cutOf(first: number, passages: { text: string }[]): Cut {
  const number = first / PASSAGES
  let place = number % 1_000
  const audience = AUDIENCES.find(({ of }) => {
    place -= of
    return place < 0
  })
  const chunks = passages.map(({ text }, i) => ({ n: i + 1, heading: '', text, start: 0, end: text.length }))
  const path = String(number)
  const document = {
    path,
    title: `Page ${number}`,
    hash: path,
    audience: [audience?.scope ?? 'everyone'],
    language: 'en',
  }
  return { document, chunks }
}

async function putMade(pool: pg.Pool, table: VectorTable, cuts: Cut[], vectors: number[][]): Promise<void> {
  const rows = cuts.flatMap(({ document, chunks }, d) =>
    chunks.map(({ n }) => ({ path: document.path, n, vector: toSql(vectors[d * PASSAGES + n - 1] ?? []) })),
  )
  await pool.query(
    `insert into ${table.table} (passage, document, embedding)
     select p.id, d.id, x.vector::${table.type}
     from jsonb_to_recordset($1) as x (path text, n int, vector text)
       join documents d on d.workspace = '${WORKSPACE}' and d.source = 'made' and d.path = x.path
       join passages p on p.document = d.id and p.n = x.n`,
    [JSON.stringify(rows)],
  )
}

function spread(latent: number[], project: Float64Array, random: () => number): number[] {
  const vector = Array.from({ length: DIMENSIONS }, (_, row) => {
    let sum = 0.1 * gauss(random)
    for (let at = 0; at < LATENT; at += 1) sum += (project[row * LATENT + at] ?? 0) * (latent[at] ?? 0)
    return sum
  })
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

function drawMatrix(random: () => number): Float64Array {
  return Float64Array.from({ length: DIMENSIONS * LATENT }, () => gauss(random) / Math.sqrt(LATENT))
}

/** The n-th word of the language, of letters only; the first are the most frequent. */
function wordOf(n: number): string {
  let word = ''
  for (let rest = n + 27; rest > 0; rest = Math.floor(rest / 20))
    word += 'bcdfghklmnprstvwxzaeiou'[rest % 20] ?? 'y'
  return `${word}${'aeiou'[n % 5]}k`
}

/** The place of a word by how often words of a language occur. */
function zipf(random: () => number): number {
  return Math.min(VOCABULARY - 1, Math.floor(Math.exp(random() * Math.log(VOCABULARY))) - 1)
}

function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Numbers from 0 to 1 by a seed (mulberry32). */
function draw(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
