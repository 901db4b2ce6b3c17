/**
 * What Quorum adds to a mention, beside a bare Bolt listener that keeps nothing: the same model, which answers
 * at once, the same kind of workspace, in turns in the same run. Flags: `--quick`, `--repetitions N`.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Env } from '../../src/core/env.ts'
import { makeTemporary } from '../support/temporary.ts'
import { openInstantModel } from './overhead/model.ts'
import { openSide, type Sample, type Side } from './overhead/side.ts'
import type { Report } from './run.ts'

/** Bursts of a repetition, by threads at once: the fewer threads, the more bursts for as good a median. */
const FULL = [
  { threads: 1, bursts: 12 },
  { threads: 10, bursts: 4 },
  { threads: 100, bursts: 1 },
]
const QUICK = [
  { threads: 1, bursts: 3 },
  { threads: 10, bursts: 1 },
]
/** What one answer of Quorum may take at one thread, given Bolt's median. */
const allowed = (bolt: number) => 1.5 * bolt + 50

type Two = { p50: number; p95: number }
type Summary = { sign: Two; answer: Two }
type Row = {
  threads: number
  samples: number
  quorum: Summary
  bolt: Summary
  ratio: { signP50: number; signP95: number; answerP50: number; answerP95: number }
}

export async function run(flags: string[]): Promise<Report> {
  const { values } = parseArgs({
    args: flags,
    options: { quick: { type: 'boolean', default: false }, repetitions: { type: 'string' } },
  })
  const plan = values.quick ? QUICK : FULL
  const repetitions = Number(values.repetitions ?? (values.quick ? 1 : 5))
  const rows = await measure(plan, repetitions)
  const [one] = rows
  const bound = allowed(one?.bolt.answer.p50 ?? 0)
  const json = {
    bench: 'overhead',
    unit: 'ms',
    machine: {
      node: process.version,
      cores: availableParallelism(),
      cpu: cpus()[0]?.model ?? '',
      platform: `${process.platform} ${process.arch}`,
    },
    engines: 'PGlite on disk, embedded Valkey',
    slots: Env.parse({}).QUORUM_SLOTS,
    repetitions,
    results: rows,
    target: { threads: 1, allowedAnswerP50: round(bound), met: (one?.quorum.answer.p50 ?? 0) <= bound },
  }
  return { json, table: tableOf(json) }
}

async function measure(plan: typeof FULL, repetitions: number): Promise<Row[]> {
  await using temporary = await makeTemporary()
  await using model = await openInstantModel()
  await using quorum = await openQuorum(path.join(temporary.dir, 'quorum'), model.url)
  await using bolt = await openBolt(path.join(temporary.dir, 'bolt'), model.url)
  const sides = { quorum, bolt }
  for (const side of Object.values(sides)) for (const threads of [1, 1, 10]) await side.burst(threads)

  const rows = plan.map(({ threads, bursts }) => ({
    threads,
    bursts,
    samples: { quorum: [] as Sample[], bolt: [] as Sample[] },
  }))
  for (let repetition = 0; repetition < repetitions; repetition++)
    for (const { threads, bursts, samples } of rows)
      for (let burst = 0; burst < bursts; burst++) {
        const order = ['quorum', 'bolt'] as const
        for (const name of burst % 2 === 0 ? order : order.toReversed())
          samples[name].push(...(await sides[name].burst(threads)))
      }
  return rows.map(({ threads, samples }) => compare(threads, samples))
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The product as it is started: its own door, its embedded engines, a home with only an agent and a model. */
async function openQuorum(dir: string, model: string): Promise<Side> {
  await mkdir(path.join(dir, 'home/agents'), { recursive: true })
  await writeFile(path.join(dir, 'home/agents/quorum.md'), '---\nname: quorum\n---\nYou are a teammate.\n')
  const pools = { main: { model: 'instant', replicas: [model] } }
  const embeddings = { url: model, model: 'instant-embeddings' }
  await writeFile(path.join(dir, 'home/models.yaml'), JSON.stringify({ pools, embeddings }))
  return openSide([path.join(root, 'src/quorum.ts'), 'start'], dir, { PORT: '0' })
}

async function openBolt(dir: string, model: string): Promise<Side> {
  await mkdir(dir, { recursive: true })
  return openSide([path.join(root, 'test/bench/overhead/bolt.ts')], dir, { OPENAI_BASE_URL: model })
}

function compare(threads: number, samples: Record<'quorum' | 'bolt', Sample[]>): Row {
  const [quorum, bolt] = [summarize(samples.quorum), summarize(samples.bolt)]
  const ratio = (what: 'sign' | 'answer', p: 'p50' | 'p95') =>
    round(quorum[what][p] / Math.max(bolt[what][p], 1))
  return {
    threads,
    samples: samples.quorum.length,
    quorum,
    bolt,
    ratio: {
      signP50: ratio('sign', 'p50'),
      signP95: ratio('sign', 'p95'),
      answerP50: ratio('answer', 'p50'),
      answerP95: ratio('answer', 'p95'),
    },
  }
}

function summarize(samples: Sample[]): Summary {
  return { sign: two(samples.map((s) => s.sign)), answer: two(samples.map((s) => s.answer)) }
}

function two(values: number[]): Two {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
  return { p50: round(at(0.5)), p95: round(at(0.95)) }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function tableOf(json: {
  machine: { node: string; cores: number; cpu: string }
  results: Row[]
  target: { allowedAnswerP50: number; met: boolean }
}): string {
  const lines = json.results.flatMap((row) =>
    (['sign', 'answer'] as const).map((what) => {
      const [quorum, bolt] = [row.quorum[what], row.bolt[what]]
      const ratio = what === 'sign' ? row.ratio.signP50 : row.ratio.answerP50
      const name = what === 'sign' ? 'first sign' : 'answer'
      const cells = [row.threads, name, `${quorum.p50} / ${quorum.p95}`, `${bolt.p50} / ${bolt.p95}`, ratio]
      return `| ${cells.join(' | ')} |`
    }),
  )
  const { machine, target } = json
  return [
    '| threads at once | mention to | Quorum p50 / p95, ms | bare Bolt p50 / p95, ms | ratio of p50 |',
    '|---|---|---|---|---|',
    ...lines,
    '',
    `Node ${machine.node}, ${machine.cores} cores (${machine.cpu}), a model that answers at once, embedded engines.`,
    `Target: at one thread an answer within 1.5 times bare Bolt plus 50 ms, ${target.allowedAnswerP50} ms here: ${
      target.met ? 'met' : 'missed'
    }.`,
  ].join('\n')
}
