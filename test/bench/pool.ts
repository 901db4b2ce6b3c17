/**
 * The pool beside plainer ways to ask: how much of the prompts lies in the servers' caches, how long until the first
 * token, what the pool itself adds to a call, and what becomes of answers while servers are killed. The servers are
 * processes with a virtual GPU: their times are reckoned, ours are real. Flags: `--quick`, `--seconds N`, `--no-peer`.
 */
import { availableParallelism, cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { ChatMessage } from '../../src/core/chat.ts'
import { openRandom } from '../support/random.ts'
import { openPeer } from './pool/peer.ts'
import { openReplicas } from './pool/replicas.ts'
import { type Call, openOurs, openPlain, type Side } from './pool/sides.ts'
import type { Report } from './run.ts'

/** About an 8-billion-parameter model on a small GPU each: tokens a second read, written for each request, cached. */
const GPU = { prefill: 10_000, decode: 80, cacheTokens: 64_000, maxRunning: 16, answerTokens: 80 }
/** Tokens: what every prompt begins with, and what each turn adds beside the answer. */
const SYSTEM_TOKENS = 1_000
const TURN_TOKENS = 600
const THREADS = 36
const TURNS = 6
const CALLERS = 64
/** Long enough that so many callers leave the machine idle most of the time: what is measured is not its queue. */
const ANSWER_MS = 1_000
const KILL_EVERY_MS = 5_000
const DEAD_MS = 2_000

export async function run(flags: string[]): Promise<Report> {
  const { values } = parseArgs({
    args: flags,
    options: {
      quick: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      'no-peer': { type: 'boolean', default: false },
    },
  })
  const seconds = Number(values.seconds ?? (values.quick ? 12 : 60))
  const affinity = await measureAffinity(values.quick ? 12 : THREADS)
  const added = await measureAdded(values.quick ? 2 : 6, !values['no-peer'])
  const kills = await measureKills(seconds)
  const json = {
    bench: 'pool',
    machine: {
      node: process.version,
      cores: availableParallelism(),
      cpu: cpus()[0]?.model ?? '',
      platform: `${process.platform} ${process.arch}`,
    },
    gpu: GPU,
    affinity,
    added,
    kills,
    targets: {
      cachedShare: { atLeast: 1.4, of: 'round robin', is: affinity.ratios.cached },
      firstTokenP95: { atMost: 0.5, of: 'round robin', is: affinity.ratios.firstTokenP95 },
      addedMs: { p50AtMost: 3, p99AtMost: 10, is: added.sides.ours?.added },
      lost: { atMost: 0, is: kills.lost },
    },
  }
  return { json, table: tableOf(json) }
}

/** 36 threads of six turns, each asking on when it has its answer, over three servers. */
async function measureAffinity(threads: number) {
  const play = async (name: string, count: number, open: (urls: string[]) => Side) => {
    await using replicas = await openReplicas(count, GPU)
    using side = open(replicas.urls)
    const began = performance.now()
    const calls = (await Promise.all(Array.from({ length: threads }, (_, n) => converse(side, n)))).flat()
    return summarize(name, calls, performance.now() - began)
  }
  const single = await play('one server, plain client', 1, (urls) => openPlain(urls))
  const robin = await play('three, round robin', 3, (urls) => openPlain(urls))
  const ours = await play('three, the pool', 3, openOurs)
  const ratio = (a: number, b: number) => round(a / b)
  return {
    threads,
    turns: TURNS,
    sides: [single, robin, ours],
    ratios: {
      cached: ratio(ours.cachedShare, robin.cachedShare),
      firstTokenP95: ratio(ours.firstTokenMs.p95, robin.firstTokenMs.p95),
    },
  }
}

async function converse(side: Side, n: number): Promise<Call[]> {
  const random = openRandom(n + 1)
  const messages = opening()
  const calls: Call[] = []
  await sleep(random.between(0, 1_000))
  for (let turn = 0; turn < TURNS; turn += 1) {
    messages.push({ role: 'user', content: fill(`thread ${n} turn ${turn} `, TURN_TOKENS) })
    const call = await side.ask(n, [...messages])
    calls.push(call)
    messages.push({ role: 'assistant', content: call.text })
    await sleep(random.between(100, 500))
  }
  return calls
}

function summarize(name: string, calls: Call[], ms: number) {
  const sum = (of: (call: Call) => number) => calls.reduce((total, call) => total + of(call), 0)
  return {
    name,
    calls: calls.length,
    seconds: round(ms / 1_000),
    cachedShare: round(sum((call) => call.cached) / sum((call) => call.prompt), 3),
    firstTokenMs: percentiles(calls.map((call) => call.firstMs)),
  }
}

/**
 * 64 callers at a server that takes a second for every answer, however many ask: what is more than that through the plain
 * client is its own, what is more still is what a side adds. In turns, so that the machine is the same for all.
 */
async function measureAdded(rounds: number, withPeer: boolean) {
  const options = {
    ...GPU,
    prefill: 1e9,
    cacheTokens: 1e6,
    maxRunning: 1_000,
    answerTokens: 8,
    decode: (8 * 1_000) / ANSWER_MS,
  }
  await using replicas = await openReplicas(1, options)
  const peer = withPeer ? await openPeer() : { why: 'left out' }
  await using opened = new AsyncDisposableStack()
  const sides: Record<string, Side> = { direct: openPlain(replicas.urls), ours: openOurs(replicas.urls) }
  if ('url' in peer) {
    opened.use(peer)
    sides.peer = openPlain(replicas.urls, peer.headers, peer.url)
  }
  for (const side of Object.values(sides)) opened.use(side)
  const played: Record<string, Call[][]> = {}
  for (let turn = -1; turn < rounds; turn += 1) {
    for (const [name, side] of Object.entries(sides)) {
      const calls = await Promise.all(Array.from({ length: CALLERS }, (_, n) => callInRow(side, n, turn)))
      // The first round warms up.
      if (turn >= 0) played[name] = [...(played[name] ?? []), calls.flat()]
    }
  }
  const timesOf = (calls: Call[]) => percentiles(calls.map(({ ms }) => ms))
  const direct = (played.direct ?? []).map(timesOf)
  const summaries = Object.entries(played).map(([name, turns]) => {
    // What a side adds in a turn, beside the plain client's own turn just before; the median turn counts.
    const over = (p: 'p50' | 'p99') =>
      percentiles(turns.map((calls, i) => timesOf(calls)[p] - (direct[i]?.[p] ?? Number.NaN))).p50
    const calls = turns.flat()
    const waits = calls.filter((call) => call.waits > 0).length
    const added = { p50: over('p50'), p99: over('p99') }
    return [name, { calls: calls.length, waits, ms: timesOf(calls), added }] as const
  })
  return {
    callers: CALLERS,
    peer: 'why' in peer ? peer.why : peer.name,
    sides: Object.fromEntries(summaries) as Record<
      string,
      { calls: number; waits: number; ms: Percentiles; added: { p50: number; p99: number } }
    >,
  }
}

async function callInRow(side: Side, n: number, turn: number): Promise<Call[]> {
  const calls: Call[] = []
  const messages: ChatMessage[] = [...opening(), { role: 'user', content: fill(`caller ${n} `, 300) }]
  // Callers do not march in step.
  await sleep((n * ANSWER_MS) / CALLERS)
  for (let i = 0; i < 3; i += 1) {
    calls.push(await side.ask(n, [...messages, { role: 'user', content: `And ${turn} ${i}?` }]))
  }
  return calls
}

/** 36 threads keep asking while one of three servers is killed every five seconds, and comes back two seconds later. */
async function measureKills(seconds: number) {
  await using replicas = await openReplicas(3, { ...GPU, answerTokens: 60 })
  using side = openOurs(replicas.urls)
  const until = performance.now() + seconds * 1_000
  const calls: Call[] = []
  let lost = 0
  const talk = async (n: number) => {
    for (let talks = 0; performance.now() < until; talks += 1) {
      const messages = opening()
      for (let turn = 0; turn < TURNS && performance.now() < until; turn += 1) {
        messages.push({ role: 'user', content: fill(`thread ${n} ${talks} turn ${turn} `, TURN_TOKENS / 4) })
        const call = await side.ask(n + 100 * talks, [...messages]).catch(() => undefined)
        if (!call) {
          lost += 1
          break
        }
        calls.push(call)
        messages.push({ role: 'assistant', content: call.text })
      }
    }
  }
  let killed = 0
  const killing = (async () => {
    while (performance.now() + KILL_EVERY_MS < until) {
      await sleep(KILL_EVERY_MS - DEAD_MS)
      const victim = killed % 3
      await replicas.kill(victim)
      killed += 1
      await sleep(DEAD_MS)
      await replicas.revive(victim)
    }
  })()
  await Promise.all([killing, ...Array.from({ length: THREADS }, (_, n) => talk(n))])
  const whole = calls.filter(({ text }) => text.length === 60 * 4).length
  const sum = (of: (call: Call) => number) => calls.reduce((total, call) => total + of(call), 0)
  return {
    seconds,
    killed,
    answers: calls.length,
    whole,
    lost,
    retriedAttempts: sum((call) => call.retries),
    waits: sum((call) => call.waits),
    faults: side.account?.faults ?? {},
    held: side.account?.held ?? 0,
    settled: side.account?.settled ?? 0,
    firstTokenMs: percentiles(calls.map((call) => call.firstMs)),
  }
}

function opening(): ChatMessage[] {
  return [{ role: 'system', content: fill('You are a teammate. ', SYSTEM_TOKENS) }]
}

/** Text of so many tokens of four characters. */
function fill(words: string, tokens: number): string {
  return words.repeat(Math.ceil((tokens * 4) / words.length)).slice(0, tokens * 4)
}

type Percentiles = { p50: number; p95: number; p99: number }

function percentiles(values: number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => round(sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN)
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

function round(value: number, digits = 2): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}

type Found = {
  machine: { node: string; cores: number; cpu: string }
  affinity: Awaited<ReturnType<typeof measureAffinity>>
  added: Awaited<ReturnType<typeof measureAdded>>
  kills: Awaited<ReturnType<typeof measureKills>>
}

function tableOf({ machine, affinity, added, kills }: Found): string {
  const rows = affinity.sides.map(
    ({ name, cachedShare, firstTokenMs: { p50, p95 }, seconds }) =>
      `| ${[name, `${round(cachedShare * 100, 1)} %`, `${p50} / ${p95}`, seconds].join(' | ')} |`,
  )
  const names: Record<string, string> = { direct: 'plain client', ours: 'the pool', peer: added.peer }
  const calls = Object.entries(added.sides).map(([name, { ms, added: more }]) => {
    const { p50, p99 } = more
    return `| ${[names[name], `${ms.p50} / ${ms.p99}`, name === 'direct' ? '' : `${p50} / ${p99}`].join(' | ')} |`
  })
  return [
    `| ${affinity.threads} threads x ${affinity.turns} turns | prompt tokens cached | first token p50 / p95, ms | all, s |`,
    '|---|---|---|---|',
    ...rows,
    '',
    `| ${added.callers} callers, a second an answer | p50 / p99, ms | added p50 / p99, ms |`,
    '|---|---|---|',
    ...calls,
    '',
    `One of three servers killed every 5 s for ${kills.seconds} s, ${kills.killed} in all: ${kills.answers} answers, ` +
      `${kills.lost} lost; ${kills.retriedAttempts} attempts were made again and ${kills.waits} waits taken, ` +
      `${kills.held} attempts held and ${kills.settled} settled.`,
    `Node ${machine.node}, ${machine.cores} cores (${machine.cpu}); servers with a virtual GPU, on the same machine.`,
  ].join('\n')
}
