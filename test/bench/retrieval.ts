/**
 * How well and how fast knowledge is found.
 *
 * Flags: `--part quality|scale|peers` (all where left out), `--collections DIR` (a directory of collections),
 * `--size N,M` (passages; 10000), `--database postgres://…` (a server on which databases are made; the embedded one
 * where it is left out), `--words bm25|any-word`, `--cache FILE` of vectors, `--quick`.
 */
import { existsSync, readdirSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Evaluation, evaluate } from '../../src/agent/knowledge/evaluate.ts'
import { formatEvaluation, openApart } from '../../src/doors/eval.ts'
import { openEmbedder } from '../../src/models/embed.ts'
import { cacheVectors } from '../../src/models/embed-cache.ts'
import { readCollection } from '../../src/sources/collection.ts'
import { migrate } from '../../src/store/migrate.ts'
import { prepareSearch, type WordStrategy } from '../../src/store/words.ts'
import { measurePeers, type Peer } from './retrieval/peers.ts'
import { measureScale, type Scale } from './retrieval/scale.ts'
import type { Report } from './run.ts'

const SHARED = fileURLToPath(new URL('../../../shared/retrieval', import.meta.url))
const CACHE = path.join(tmpdir(), `quorum-bench-vectors-${process.getuid?.() ?? ''}.sqlite`)
/** Peers are compared on this one. */
const COMPARED = 'scifact'

type Quality = Evaluation & { collection: string; peers?: Peer[] }
type Wanted = { database: string | undefined; words: WordStrategy | undefined; cache: string }

export async function run(flags: string[]): Promise<Report> {
  const { values } = parseArgs({
    args: flags,
    options: {
      part: { type: 'string' },
      collections: { type: 'string', default: process.env.QUORUM_COLLECTIONS ?? SHARED },
      size: { type: 'string' },
      database: { type: 'string' },
      words: { type: 'string' },
      cache: { type: 'string', default: CACHE },
      quick: { type: 'boolean', default: false },
    },
  })
  const wanted = {
    database: values.database,
    words: values.words as WordStrategy | undefined,
    cache: values.cache,
  }
  const has = (part: string) => values.part === undefined || values.part === part
  const skipped: string[] = []
  const sizes = (values.size ?? (values.quick ? '500' : '10000')).split(',').map(Number)
  const quality =
    has('quality') || has('peers') ? await measureQuality(values.collections, wanted, has, skipped) : []
  const scale = has('scale') ? await measureSizes(sizes, wanted) : []
  const machine = {
    node: process.version,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    // What others did meanwhile: with more than the cores can do, every time is too long.
    load: Math.round(loadavg()[0] ?? 0),
  }
  const store = values.database ? 'server' : 'embedded'
  const json = { bench: 'retrieval', machine, store, quality, scale, skipped }
  return { json, table: tableOf(json) }
}

/** Each collection through the product's own pipeline, and others beside it on one. */
async function measureQuality(
  dir: string,
  { database, words, cache }: Wanted,
  has: (part: string) => boolean,
  skipped: string[],
): Promise<Quality[]> {
  const all = existsSync(dir)
    ? readdirSync(dir).filter((name) => existsSync(path.join(dir, name, 'qrels.tsv')))
    : []
  if (all.length === 0) skipped.push(`no collections in ${dir}: quality was not measured`)
  await using embedder = cacheVectors(openEmbedder(undefined, process.env), cache)
  const done: Quality[] = []
  for (const name of has('quality') ? all : all.filter((one) => one === COMPARED)) {
    tell(`collection ${name}`)
    const collection = await readCollection(path.join(dir, name))
    await using opened = await openApart(database)
    const { pool } = opened.store
    await migrate(pool)
    const best = await prepareSearch(pool)
    const figures = await evaluate(
      { pool, embedder, strategy: words ?? best, onProgress: undefined },
      collection,
    )
    const peers =
      name === COMPARED && has('peers')
        ? await measurePeers(pool, collection, embedder, (line) => skipped.push(line))
        : undefined
    done.push({ collection: name, ...figures, ...(peers ? { peers } : {}) })
  }
  return done
}

async function measureSizes(sizes: number[], { database, words }: Wanted): Promise<Scale[]> {
  await using opened = await openApart(database)
  await migrate(opened.store.pool)
  const best = await prepareSearch(opened.store.pool)
  return await measureScale(opened.store.pool, words ?? best, sizes, tell)
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

function tableOf({
  quality,
  scale,
  skipped,
}: {
  quality: Quality[]
  scale: Scale[]
  skipped: string[]
}): string {
  const lines = quality.flatMap((one) => [
    `**${one.collection}:** ${formatEvaluation(one)}`,
    '',
    ...peerRows(one),
    '',
  ])
  if (scale.length > 0) lines.push(...scaleRows(scale), '')
  return [...lines, ...skipped].join('\n').trim()
}

function peerRows({ peers = [] }: Quality): string[] {
  return peers.map(
    ({ name, ndcg10, recall100, p50, p95 }) =>
      `Beside it, ${name}: nDCG@10 ${ndcg10.toFixed(3)}, Recall@100 ${recall100.toFixed(3)}, ${p50.toFixed(1)} / ${p95.toFixed(1)} ms`,
  )
}

function scaleRows(scale: Scale[]): string[] {
  const head =
    '| passages | read by | p50 ms | p95 ms | recall@10 of vectors | fewest of ten |\n|---|---|---|---|---|---|'
  const rows = scale.flatMap(({ measured }) =>
    measured.map(
      ({ passages, share, p50, p95, recall10, fewest }) =>
        `| ${passages} | ${share * 100} % | ${p50.toFixed(1)} | ${p95.toFixed(1)} | ${recall10.toFixed(3)} | ${fewest} |`,
    ),
  )
  const built = scale.map(
    (one) =>
      `${one.passages} passages (${one.strategy}): ${seconds(one.writeMs)} s to write with words, ${seconds(one.vectorMs)} s with vectors, ` +
      `${seconds(one.indexMs)} s to build the index of vectors, ${seconds(one.countMs)} s to count; ${one.databaseMb} MB on disk, ` +
      `${one.processMb} MB in this process; its event loop was held ${one.heldBuilding} ms at most while building, ${one.heldSearching} ms while searching.`,
  )
  return [head, ...rows, '', ...built]
}

const seconds = (ms: number) => (ms / 1_000).toFixed(1)
