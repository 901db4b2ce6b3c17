/**
 * How well and how fast knowledge is found.
 *
 * Flags: `--part quality|scale|peers` (all where left out), `--collections DIR` (a directory of collections),
 * `--size N,M` (passages; 10000), `--database postgres://…` (a server on which databases are made; the embedded one
 * where it is left out), `--words bm25|any-word`, `--cache FILE` of vectors, `--keep PLACE` (a directory or a
 * database's URL: sizes are measured there, and what is in it already is not written again), `--quick`.
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
import { openStore, type Store } from '../../src/store/open.ts'
import { prepareSearch, type WordStrategy } from '../../src/store/words.ts'
import { measurePeers, type Peer } from './retrieval/peers.ts'
import { measureScale, type Scale } from './retrieval/scale.ts'
import type { Report } from './run.ts'

const SHARED = fileURLToPath(new URL('../../../shared/retrieval', import.meta.url))
const CACHE = path.join(tmpdir(), `quorum-bench-vectors-${process.getuid?.() ?? ''}.sqlite`)
/** Peers are compared on this one. */
const COMPARED = 'scifact'

type Quality = Evaluation & { collection: string; peers?: Peer[] }
type Wanted = {
  database: string | undefined
  words: WordStrategy | undefined
  cache: string
  keep: string | undefined
}

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
      keep: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  })
  const wanted = {
    database: values.database,
    words: values.words as WordStrategy | undefined,
    cache: values.cache,
    keep: values.keep,
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
    load: Number((loadavg()[0] ?? 0).toFixed(1)),
  }
  const store: Json['store'] = isServer(values.keep ?? values.database) ? 'server' : 'embedded'
  const json = { bench: 'retrieval', machine, store, quality, scale, skipped }
  return { json, table: tableOf(json), mark: `retrieval, ${values.part ?? 'all'}, ${store}` }
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

async function measureSizes(sizes: number[], { database, words, keep }: Wanted): Promise<Scale[]> {
  await using opened = keep ? await openKept(keep) : await openApart(database)
  await migrate(opened.store.pool)
  const best = await prepareSearch(opened.store.pool)
  return await measureScale(opened.store.pool, words ?? best, sizes, tell)
}

async function openKept(place: string): Promise<AsyncDisposable & { store: Store }> {
  const store = await openStore({ databaseUrl: isServer(place) ? place : undefined, dataDir: place })
  return { store, [Symbol.asyncDispose]: () => store.close() }
}

function isServer(place = ''): boolean {
  return /^postgres(ql)?:/.test(place)
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}

type Json = {
  machine: { node: string; cores: number; cpu: string; load: number }
  store: 'server' | 'embedded'
  quality: Quality[]
  scale: Scale[]
  skipped: string[]
}

function tableOf({ machine, store, quality, scale, skipped }: Json): string {
  const lines = quality.flatMap((one) => [
    `**${one.collection}:** ${formatEvaluation(one)}`,
    '',
    ...peerRows(one),
    ...(one.peers ? [''] : []),
  ])
  if (scale.length > 0) lines.push(...scaleRows(store, scale), '')
  const { node, cores, cpu, load } = machine
  const where = `Node ${node}, ${cores} cores (${cpu}), load ${load} at the end; ${store === 'server' ? 'a PostgreSQL server on the same machine' : 'the embedded database'}.`
  return [...lines, where, ...skipped].join('\n').trim()
}

/** What p95 may be, in ms: for those who may read all by how much there is, and for everybody else. */
const TARGETS = { embedded: { 10000: 8, 100000: 40 }, server: { 100000: 8, 1000000: 30 } }
const FEW_READ = 50

function targetOf(store: Json['store'], { passages, share }: { passages: number; share: number }): string {
  const most = share < 1 ? FEW_READ : (TARGETS[store] as Record<number, number>)[passages]
  return most === undefined ? '' : String(most)
}

function peerRows({ peers = [] }: Quality): string[] {
  return peers.map(
    ({ name, ndcg10, recall100, p50, p95 }) =>
      `Beside it, ${name}: nDCG@10 ${ndcg10.toFixed(3)}, Recall@100 ${recall100.toFixed(3)}, ${p50.toFixed(1)} / ${p95.toFixed(1)} ms`,
  )
}

function scaleRows(store: Json['store'], scale: Scale[]): string[] {
  const head =
    '| passages | read by | p50 ms | p95 ms | target | recall@10 of vectors | fewest of ten |\n|---|---|---|---|---|---|---|'
  const rows = scale.flatMap(({ measured }) =>
    measured.map((one) => {
      const { passages, share, p50, p95, recall10, fewest } = one
      return `| ${passages} | ${share * 100} % | ${p50.toFixed(1)} | ${p95.toFixed(1)} | ${targetOf(store, one)} | ${recall10.toFixed(3)} | ${fewest} |`
    }),
  )
  return [head, ...rows, '', ...scale.flatMap((one) => [describe(one), ''])]
}

function describe({ passages, strategy, built, ...one }: Scale): string {
  const building = built
    ? `from ${built.from}: ${seconds(built.writeMs)} s to write with words, ${seconds(built.vectorMs)} s with vectors, ` +
      `${seconds(built.indexMs)} s to build the index of vectors, ${seconds(built.countMs)} s to count, ` +
      `the main thread held ${built.held} ms of its CPU time at most at a stretch; `
    : ''
  return (
    `${passages} passages (${strategy}), ${building}${one.databaseMb} MB on disk, of which the index of vectors ` +
    `${one.vectorsMb} MB and of words ${one.wordsMb} MB; ${one.processMb} MB in the process of the benchmark` +
    `${one.held > 0 ? `, whose main thread was held ${one.held} ms at most while searching` : ''}.`
  )
}

const seconds = (ms: number) => (ms / 1_000).toFixed(1)
