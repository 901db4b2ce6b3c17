/**
 * What it takes to read pages of Markdown: reading, chunking, writing, embedding, and a second time without changes;
 * memory, and how long the main thread was held. Then processes that read are killed at any moment, and what is
 * there at the end is compared with what one undisturbed reading leaves.
 *
 * Flags: `--pages N` (10,000), `--vectors N|all` (how many passages are really embedded; the rest is extrapolated and
 * said to be; 300), `--kills N` (4), `--quick`. On the embedded engine, or the server of TEST_DATABASE_URL.
 */
import { availableParallelism, cpus, loadavg } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { embedMissing } from '../../src/agent/knowledge/embed.ts'
import { ingest } from '../../src/agent/knowledge/ingest.ts'
import { chunk } from '../../src/core/chunk.ts'
import { Source } from '../../src/core/home.ts'
import { openEmbedder } from '../../src/models/embed.ts'
import { readDirectory } from '../../src/sources/directory.ts'
import { listWorkspaces } from '../../src/store/documents.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import { countVectors, servingTable } from '../../src/store/vectors.ts'
import { prepareSearch } from '../../src/store/words.ts'
import { startCommand } from '../support/command.ts'
import { openTestStore } from '../support/store.ts'
import { makeTemporary } from '../support/temporary.ts'
import { watchThread } from '../support/thread.ts'
import { writePages } from './index/pages.ts'
import type { Report } from './run.ts'

const WORKSPACE = 'T1'
/** What a second reading without changes may take of the first. */
const TARGET_SHARE = 0.05
const TARGET_HELD_MS = 50

export async function run(flags: string[]): Promise<Report> {
  const { values } = parseArgs({
    args: flags,
    options: {
      pages: { type: 'string' },
      vectors: { type: 'string' },
      kills: { type: 'string' },
      quick: { type: 'boolean', default: false },
    },
  })
  const pages = Number(values.pages ?? (values.quick ? 30 : 10_000))
  const vectors = values.vectors === 'all' ? Infinity : Number(values.vectors ?? (values.quick ? 16 : 300))
  const kills = Number(values.kills ?? (values.quick ? 1 : 4))
  await using temporary = await makeTemporary()
  const dir = path.join(temporary.dir, 'pages')
  await writePages(dir, pages)
  await using store = await openTestStore()
  await prepareSearch(store.pool)
  const measured = await measure(store, dir, vectors)
  const killed = await kill(temporary.dir, { kills, pages: values.quick ? 3 : 20 })
  const machine = {
    node: process.version,
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    // What others did meanwhile: with more than the cores can do, every figure is too long.
    load: Math.round(loadavg()[0] ?? 0),
  }
  const json = { bench: 'index', unit: 's', machine, store: store.kind, pages, ...measured, killed }
  return { json, table: tableOf(json) }
}

async function measure(store: Store, dir: string, vectors: number) {
  const source = Source.parse({ directory: dir })
  const read = () => ingest({ pool: store.pool, home: '/' }, WORKSPACE, 'pages', source)
  const { reading, chunking } = await readOnly(dir)

  const held = watchThread()
  const memory = watchMemory()
  const first = await read()
  const ingesting = held.longest()
  const writing = first.ms / 1_000 - reading - chunking

  const embedded = await embedSome(store, vectors)
  const embedding = held.longest()
  const second = await read()
  held.stop()
  const withoutVectors = first.ms / 1_000
  const whole = withoutVectors + embedded.all
  return {
    passages: first.passages,
    first: { reading, chunking, writing, embedding: embedded.all, withoutVectors, whole },
    embedder: embedded.by,
    embedded: { passages: embedded.made, perSecond: embedded.perSecond, extrapolated: embedded.extrapolated },
    second: {
      seconds: second.ms / 1_000,
      unchanged: second.unchanged,
      ofFirst: second.ms / 1_000 / whole,
      ofFirstWithoutVectors: second.ms / 1_000 / withoutVectors,
    },
    mainThreadHeldMs: { ingesting, embedding },
    peakMb: memory.stop(),
    targets: {
      secondRun: { most: TARGET_SHARE, met: second.ms / 1_000 / whole <= TARGET_SHARE },
      mainThreadHeld: { most: TARGET_HELD_MS, met: Math.max(ingesting.cpu, embedding.cpu) <= TARGET_HELD_MS },
    },
  }
}

/** Seconds that reading and cutting take by themselves; what a whole ingest takes more is writing. */
async function readOnly(dir: string): Promise<{ reading: number; chunking: number }> {
  const began = performance.now()
  let chunking = 0
  for await (const entry of readDirectory(dir)) {
    if (!('found' in entry)) continue
    const document = await entry.found.read()
    if ('why' in document) continue
    const at = performance.now()
    chunk(document)
    chunking += performance.now() - at
  }
  return { reading: (performance.now() - began - chunking) / 1_000, chunking: chunking / 1_000 }
}

/** Embeds passages until there are enough to tell how fast it goes. `all`: seconds for every passage. */
async function embedSome(store: Store, wanted: number) {
  await using embedder = openEmbedder(undefined, {})
  await embedder.ready()
  const stop = new AbortController()
  const { made, ms } = await embedMissing(
    { pool: store.pool, workspace: WORKSPACE, embedder },
    { signal: stop.signal, onProgress: (progress) => progress.made >= wanted && stop.abort() },
  )
  const table = await servingTable(store.pool, WORKSPACE)
  const missing = table ? (await countVectors(store.pool, table, WORKSPACE)).missing : 0
  const perSecond = made / (ms / 1_000)
  return {
    made,
    perSecond,
    all: (made + missing) / perSecond,
    extrapolated: missing > 0,
    by: `${embedder.model.name} by ${embedder.runtime()}`,
  }
}

function watchMemory(): { stop(): number } {
  let peak = 0
  const look = () => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }
  const timer = setInterval(look, 200)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return Math.round(peak / 2 ** 20)
    },
  }
}

/** Reads the same pages undisturbed, and killed again and again, and compares what is there. */
async function kill(dir: string, { kills, pages }: { kills: number; pages: number }) {
  await writePages(path.join(dir, 'some'), pages, 2)
  const calm = await readInProcess(dir, 'calm')
  const killedAt: number[] = []
  for (let n = 0; n < kills; n += 1) {
    const command = startCommand(['ingest', path.join(dir, 'some')], { cwd: dir, env: envOf(dir, 'killed') })
    // Spread over the whole of a reading, from before the first page to among the last vectors.
    const at = 500 + ((n + 0.5) / kills) * calm.ms
    await Promise.race([pause(at), command.ended])
    command.signal('SIGKILL')
    await command.ended
    killedAt.push(Math.round(at))
  }
  const killed = await readInProcess(dir, 'killed')
  return {
    pages,
    kills,
    killedAtMs: killedAt,
    passages: calm.kept.length,
    same: JSON.stringify(calm.kept) === JSON.stringify(killed.kept),
  }
}

const home = fileURLToPath(import.meta.resolve('../../src/home/starter/'))
const envOf = (dir: string, name: string) => ({
  QUORUM_HOME: home,
  QUORUM_DATA: path.join(dir, name),
  LOG_LEVEL: 'error',
})

/** `quorum ingest` to its end, and every passage with how many vectors it has. */
async function readInProcess(dir: string, name: string): Promise<{ ms: number; kept: string[] }> {
  const began = performance.now()
  const command = startCommand(['ingest', path.join(dir, 'some')], { cwd: dir, env: envOf(dir, name) })
  const code = await command.ended
  const ms = performance.now() - began
  if (code !== 0) throw new Error(`quorum ingest ended with ${code}:\n${command.out()}\n${command.err()}`)
  await using store = await openStore({ dataDir: path.join(dir, name) })
  const [workspace = ''] = await listWorkspaces(store.pool)
  const serving = await servingTable(store.pool, workspace)
  if (!serving) throw new Error(`quorum ingest ended well, and no vectors serve:\n${command.out()}`)
  // Not always `emb_1`: a number that a killed run had taken is not given again.
  const { rows } = await store.pool.query<{ kept: string }>(
    `select d.path || ' ' || p.n || ' ' || p.hash || ' ' || (select count(*) from ${serving.table} v where v.passage = p.id) as kept
     from passages p join documents d on d.id = p.document order by d.path, p.n`,
  )
  return { ms, kept: rows.map((row) => row.kept) }
}

type Json = Awaited<ReturnType<typeof measure>> & {
  pages: number
  machine: { node: string; cores: number; cpu: string; load: number }
  store: string
  killed: Awaited<ReturnType<typeof kill>>
}

function tableOf({ pages, passages, first, embedder, embedded, second, killed, ...rest }: Json): string {
  const rate = (seconds: number) => {
    const each = pages / seconds
    return each < 10 ? each.toFixed(2) : Math.round(each).toLocaleString('en')
  }
  const row = (name: string, seconds: number) => `| ${name} | ${seconds.toFixed(1)} | ${rate(seconds)} |`
  const { mainThreadHeldMs: held, machine, peakMb, targets } = rest
  const guessed = embedded.extrapolated ? `, extrapolated from ${embedded.passages} passages` : ''
  return [
    `| ${pages.toLocaleString('en')} pages, ${passages.toLocaleString('en')} passages | seconds | pages a second |`,
    '|---|---|---|',
    row('reading', first.reading),
    row('chunking', first.chunking),
    row('writing, with its word index', first.writing),
    row(`embedding${guessed}`, first.embedding),
    row('again, nothing changed', second.seconds),
    '',
    `Node ${machine.node}, ${machine.cores} cores (${machine.cpu}) with ${machine.load} processes at work, ${rest.store} database; ${embedder}, ${embedded.perSecond.toFixed(1)} passages a second.`,
    `The second reading takes ${percent(second.ofFirst)} of the first, ${percent(second.ofFirstWithoutVectors)} of it ` +
      `without vectors (target 5 %: ${targets.secondRun.met ? 'met' : 'missed'}). The main thread was held ` +
      `${Math.max(held.ingesting.cpu, held.embedding.cpu)} ms of its CPU time at most at a stretch (target 50 ms: ` +
      `${targets.mainThreadHeld.met ? 'met' : 'missed'}). ${peakMb} MB at most. ${killed.kills} times killed while ` +
      `reading ${killed.pages} pages: ${killed.same ? 'nothing lost, nothing doubled' : 'NOT the same as undisturbed'}.`,
  ].join('\n')
}

const percent = (share: number) => `${(share * 100).toFixed(1)} %`
