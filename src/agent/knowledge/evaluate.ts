/** Evaluate: how well questions find the documents that answer them, and how fast. */
import type pg from 'pg'
import { knows } from '../../core/embedding.ts'
import { FUSION, type Fusion, weigh } from '../../core/fuse.ts'
import { type Grades, judge, meanVerdict, percentile, type Verdict } from '../../core/judge.ts'
import type { CloudPermit } from '../../core/permit.ts'
import type { Embedder } from '../../models/embed.ts'
import { languageOf } from '../../models/language.ts'
import type { Collection } from '../../sources/collection.ts'
import type { Found } from '../../sources/entry.ts'
import { readPlain } from '../../sources/plain.ts'
import { audienceId } from '../../store/audiences.ts'
import { refreshStatistics } from '../../store/documents.ts'
import { type Hit, recallPassages, type Search } from '../../store/passages.ts'
import { servingTable } from '../../store/vectors.ts'
import type { WordStrategy } from '../../store/words.ts'
import { embedMissing } from './embed.ts'
import { follow } from './ingest.ts'

export type EvaluateContext = {
  /** A migrated database with nothing in it. */
  pool: pg.Pool
  /** Absent: words only. */
  embedder?: Embedder | undefined
  strategy: WordStrategy
  fusion?: Fusion | undefined
  /** Absent: questions go to no model in the cloud. */
  permit?: CloudPermit | undefined
  onProgress?:
    | ((progress: { doing: 'reading' | 'embedding' | 'asking'; done: number; of: number }) => void)
    | undefined
}

/** A way of searching, judged: means over all questions, and what one search takes in the database, in ms. */
export type Judged = Verdict & { p50: number; p95: number }

export type Evaluation = {
  documents: number
  passages: number
  /** Those that have a right document; only these are judged. */
  queries: number
  strategy: WordStrategy
  model?: string
  fusion: Fusion
  keyword: Judged
  vector?: Judged
  fused?: Judged
  readMs: number
  embedMs: number
}

const WORKSPACE = 'eval'
const SHELF = { workspace: WORKSPACE, source: 'collection' }
const BATCH = 200
/** Questions embedded in one go. */
const QUESTIONS = 32
/** Passages asked for to be judged: enough that a hundred documents are among them. */
const DEEP = 250
/** Passages asked for to be timed: what a run asks for. */
const USUAL = 6
const TIMED = 200

/**
 * Reads a collection in as documents of a source are, cut, titled and embedded the same way, asks every question
 * by words, by vectors and by both, and judges by document: a document stands where its best passage does.
 */
export async function evaluate(context: EvaluateContext, collection: Collection): Promise<Evaluation> {
  const { pool, embedder, strategy, onProgress } = context
  const fusion = context.fusion ?? FUSION
  const began = performance.now()
  await readIn(context, collection)
  const readMs = Math.round(performance.now() - began)
  const embedded = embedder
    ? await embedMissing(
        { pool, workspace: WORKSPACE, embedder },
        { onProgress: ({ made, total }) => onProgress?.({ doing: 'embedding', done: made, of: total }) },
      )
    : { ms: 0 }
  const { rows } = await pool.query<{ count: number }>('select count(*)::int as count from passages')
  const questions = await prepareQuestions(context, collection)
  let asked = 0
  const tell = () =>
    onProgress?.({ doing: 'asking', done: ++asked, of: questions.length * (embedder ? 3 : 1) })
  const by = (way: (question: Question) => Search) => judgeAll(pool, questions, way, tell)
  const search = ({ search }: Question, weights: Fusion): Search => ({ ...search, strategy, fusion: weights })
  return {
    documents: collection.documents.length,
    passages: rows[0]?.count ?? 0,
    queries: questions.length,
    strategy,
    ...(embedder ? { model: embedder.model.name } : {}),
    fusion,
    keyword: await by((one) => search(one, { ...fusion, vectors: 0 })),
    ...(embedder
      ? {
          vector: await by((one) => search(one, { ...fusion, words: 0 })),
          fused: await by((one) => search(one, weigh(fusion, one.known))),
        }
      : {}),
    readMs,
    embedMs: embedded.ms,
  }
}

async function readIn({ pool, onProgress }: EvaluateContext, { documents }: Collection): Promise<void> {
  for (let at = 0; at < documents.length; at += BATCH) {
    const found = documents.slice(at, at + BATCH).map(
      ({ id, title, text }): Found => ({
        path: id,
        fingerprint: JSON.stringify([title, text]),
        read: async () => ({ ...readPlain(id, text), title }),
      }),
    )
    await follow({ pool }, SHELF, { audience: 'everyone' }, found)
    onProgress?.({ doing: 'reading', done: at + found.length, of: documents.length })
  }
  await refreshStatistics(pool)
}

type Question = { grades: Grades; known: boolean; search: Omit<Search, 'strategy' | 'fusion'> }

async function prepareQuestions(
  { pool, embedder, permit }: EvaluateContext,
  { queries, grades }: Collection,
): Promise<Question[]> {
  const judged = queries.filter(({ id }) => [...(grades.get(id)?.values() ?? [])].some((grade) => grade > 0))
  const audiences = [await audienceId(pool, WORKSPACE, ['everyone'])]
  const table = embedder && (await servingTable(pool, WORKSPACE))
  const texts = judged.map(({ text }) => text)
  const vectors = table ? await embedQuestions(embedder, texts, permit) : []
  return judged.map(({ id, text }, at) => {
    const language = languageOf(text)
    const values = vectors[at]
    return {
      grades: grades.get(id) ?? new Map(),
      known: !table || language === undefined || knows(table, language),
      search: {
        workspace: WORKSPACE,
        audiences,
        query: text,
        limit: DEEP,
        ...(language ? { language } : {}),
        ...(table && values ? { vector: { table, values } } : {}),
      },
    }
  })
}

/** Questions are embedded as those of people are, which some models want otherwise than passages; a few at a time. */
async function embedQuestions(
  embedder: Embedder,
  texts: string[],
  permit: CloudPermit | undefined,
): Promise<number[][]> {
  const vectors: number[][] = []
  for (let at = 0; at < texts.length; at += QUESTIONS)
    vectors.push(...(await embedder.embed(texts.slice(at, at + QUESTIONS), { priority: 'query', permit })))
  return vectors
}

async function judgeAll(
  pool: pg.Pool,
  questions: Question[],
  way: (question: Question) => Search,
  tell: () => void,
): Promise<Judged> {
  const verdicts: Verdict[] = []
  const times: number[] = []
  for (const [at, question] of questions.entries()) {
    const search = way(question)
    const verdict = judge(documentsOf(search, await recallPassages(pool, search)), question.grades)
    if (verdict) verdicts.push(verdict)
    if (at < TIMED) {
      const began = performance.now()
      await recallPassages(pool, { ...search, limit: USUAL })
      times.push(performance.now() - began)
    }
    tell()
  }
  return { ...meanVerdict(verdicts), p50: percentile(times, 0.5), p95: percentile(times, 0.95) }
}

/** The documents of passages in their order, each once; those that only a list without weight holds are left out. */
function documentsOf({ fusion }: Search, hits: Hit[]): string[] {
  const counted = hits.filter(
    (hit) => (fusion.words > 0 && hit.wordRank) || (fusion.vectors > 0 && hit.vectorRank),
  )
  return [...new Set(counted.map((hit) => hit.path))]
}
