/**
 * What an answer costs in calls of Slack's Web API and how long a person sees nothing: plain questions one after the
 * other, and as many at once as `--threads N` says (200), over `--channels N` (10). The local workspace keeps Slack's
 * published limits. Everything else is the product's own, on the embedded engines. Flags: `--quick`, and `--speed N`: while
 * many ask at once the clock of the limits goes N times as fast, so that their minutes need not be waited for.
 */

import { availableParallelism, cpus, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Call } from '../../src/demo/workspace/api.ts'
import { METHODS } from '../../src/slack/call.ts'
import { LIMITS } from '../../src/slack/gate.ts'
import { openStage, type Stage } from '../support/stage.ts'
import type { Report } from './run.ts'

/** Calls of a plain answer, and ms before the first sign. */
const TARGET = { calls: 8, firstSignMs: 2_000 }
/** What a model takes for an answer, in ms. */
const THINKING = { least: 500, most: 3_000 }

type Spread = { p50: number; p95: number; max: number }
export type Plain = {
  questions: number
  callsPerAnswer: number
  byMethod: Record<string, number>
  dropped: Record<string, number>
  firstSignMs: Spread
  longestSilenceMs: number
}
export type Pressure = {
  threads: number
  channels: number
  speed: number
  answered: number
  /** Calls that Slack refused because of a limit, by method. */
  limited: Record<string, number>
  /** The most calls of a method within a minute (posts: within 3 s in a channel), and how many Slack allows. */
  busiest: Record<string, { calls: number; of: number }>
  callsPerAnswer: number
  dropped: Record<string, number>
  /** From the question to the answer, in seconds of Slack's clock. */
  answerSeconds: Spread
  firstSignSeconds: Spread
}

export async function run(flags: string[]): Promise<Report> {
  const { values } = parseArgs({
    args: flags,
    options: {
      quick: { type: 'boolean', default: false },
      threads: { type: 'string', default: '200' },
      channels: { type: 'string', default: '10' },
      speed: { type: 'string', default: '1' },
    },
  })
  const plain = await measurePlain(values.quick ? 3 : 20)
  const pressure = await measurePressure({
    threads: values.quick ? 12 : Number(values.threads),
    channels: values.quick ? 2 : Number(values.channels),
    speed: values.quick ? 20 : Number(values.speed),
  })
  const met = plain.callsPerAnswer <= TARGET.calls && plain.firstSignMs.max <= TARGET.firstSignMs
  const json = {
    bench: 'slack',
    machine: {
      node: process.version,
      cores: availableParallelism(),
      cpu: cpus()[0]?.model ?? '',
      load: Math.round(loadavg()[0] ?? 0),
    },
    plain,
    pressure,
    target: { ...TARGET, met, lost: pressure.threads - pressure.answered },
  }
  return { json, table: tableOf(json) }
}

/** Opens a stage whose model thinks for a while, and counts what is dropped. */
async function openBusyStage(speed: number, slots: number) {
  const dropped: Record<string, number> = {}
  const stage = await openStage({
    speed,
    slots,
    model: async (_, n) => {
      await sleep(THINKING.least + ((n * 7919) % (THINKING.most - THINKING.least)))
      return { text: `The answer is ${n}.` }
    },
    onLog: (_, message, fields) => {
      if (message !== 'A call to Slack was dropped') return
      const method = fields && 'method' in fields ? String(fields.method) : ''
      dropped[method] = (dropped[method] ?? 0) + 1
    },
  })
  return { stage, dropped }
}

async function measurePlain(questions: number): Promise<Plain> {
  const { stage, dropped } = await openBusyStage(1, 8)
  await using _ = stage
  const { workspace } = stage
  const { ops, general } = workspace.channels
  const asked = async (channel: string, n: number) => {
    const ts = await workspace.say(workspace.users.ana, channel, `@quorum what is ${n}?`)
    await workspace.until(() => isAnswered(stage, channel, ts) && isClosed(stage, channel, ts), 60_000)
    return ts
  }
  // What is looked up once and loaded once is no part of any figure.
  await asked(ops, 0)
  const [from, before] = [workspace.calls.length, { ...dropped }]
  const signs: number[][] = []
  for (let n = 1; n <= questions; n++) signs.push(signsOf(stage, general, await asked(general, n)))
  const calls = workspace.calls.slice(from)
  const byMethod = Object.fromEntries(
    Object.entries(countBy(calls, ({ method }) => method)).map(([method, n]) => [
      method,
      round(n / questions),
    ]),
  )
  const left = Object.entries(dropped).map(([method, n]) => [method, n - (before[method] ?? 0)] as const)
  return {
    questions,
    callsPerAnswer: round(calls.length / questions),
    byMethod,
    dropped: Object.fromEntries(left.filter(([, n]) => n > 0)),
    firstSignMs: spread(signs.map(([first = Number.NaN]) => first)),
    longestSilenceMs: Math.round(
      Math.max(...signs.flatMap((all) => all.map((at, i) => at - (all[i - 1] ?? 0)))),
    ),
  }
}

/** Everybody asks within a moment. Gives up on what is not answered after a quarter of an hour of Slack's clock. */
export async function measurePressure(of: {
  threads: number
  channels: number
  speed: number
}): Promise<Pressure> {
  const { stage, dropped } = await openBusyStage(of.speed, 16)
  await using _ = stage
  const { workspace } = stage
  const people = workspace.hire(of.threads)
  const channels = Array.from({ length: of.channels }, (_, i) => workspace.createChannel(`busy-${i}`, people))
  const asked = await Promise.all(
    people.map(async (user, i) => {
      const channel = channels[i % channels.length] ?? ''
      return { channel, ts: await workspace.say(user, channel, `@quorum what is ${i}?`) }
    }),
  )
  const answered = () => asked.filter(({ channel, ts }) => isAnswered(stage, channel, ts)).length
  await workspace.until(() => answered() === of.threads, 900_000 / of.speed).catch(() => {})
  const done = asked.map(({ channel, ts }) => signsOf(stage, channel, ts))
  const seconds = (ms: number) => round((ms * of.speed) / 1000)
  return {
    ...of,
    answered: answered(),
    limited: countBy(
      workspace.calls.filter(({ error }) => error === 'ratelimited'),
      ({ method }) => method,
    ),
    busiest: busiest(workspace.calls, of.speed),
    callsPerAnswer: round(workspace.calls.length / of.threads),
    dropped,
    answerSeconds: spread(done.map((signs) => seconds(signs.at(-1) ?? Number.NaN))),
    firstSignSeconds: spread(done.map(([first = Number.NaN]) => seconds(first))),
  }
}

function isAnswered({ workspace, said }: Stage, channel: string, ts: string): boolean {
  return (
    workspace.messages(channel, ts).length > 1 &&
    said(channel, ts).some((text) => text.startsWith('The answer'))
  )
}

/** The plan is closed and the session idle. */
function isClosed({ workspace, said }: Stage, channel: string, ts: string): boolean {
  const plan = said(channel, ts).some((text) => /^(Looking|Thinking|Working|Searching)/.test(text))
  return !plan && workspace.session(channel, ts) === 'active'
}

/** When something new was to be seen in a thread until its answer, in ms after the question. */
function signsOf({ workspace }: Stage, channel: string, ts: string): number[] {
  const begun = Number(ts) * 1000
  const ours = new Set(workspace.messages(channel, ts).map((message) => message.ts))
  const answer = workspace.messages(channel, ts).find(({ text }) => text.startsWith('The answer'))
  const signs = workspace.calls.flatMap(({ ok, method, args, at }) => {
    if (!ok) return []
    if (method === 'chat.postMessage' || method === 'agents.sessions.setStatus')
      return args.thread_ts === ts ? [at - begun] : []
    return method === 'chat.update' && ours.has(String(args.ts)) ? [at - begun] : []
  })
  const last = answer ? Number(answer.ts) * 1000 - begun : Number.NaN
  return [...signs.filter((at) => at < last), last].sort((a, b) => a - b)
}

/** How many calls came closest together, of each method that has a limit. */
function busiest(calls: readonly Call[], speed: number): Pressure['busiest'] {
  const found: Pressure['busiest'] = {}
  for (const [method, { tier }] of Object.entries(METHODS)) {
    if (tier === 'free') continue
    const { calls: of, ms } = LIMITS[tier]
    const mine = calls.filter((call) => call.method === method && call.error !== 'ratelimited')
    const groups = tier === 'post' ? Object.values(groupBy(mine, ({ args }) => String(args.channel))) : [mine]
    const most = Math.max(
      0,
      ...groups.map((group) =>
        mostWithin(
          group.map(({ at }) => at * speed),
          ms,
        ),
      ),
    )
    if (most > 0) found[method] = { calls: most, of }
  }
  return found
}

function mostWithin(times: readonly number[], ms: number): number {
  let [most, from] = [0, 0]
  times.forEach((at, i) => {
    while ((times[from] ?? 0) <= at - ms) from += 1
    most = Math.max(most, i - from + 1)
  })
  return most
}

function groupBy<T>(all: readonly T[], of: (one: T) => string): Record<string, T[]> {
  const groups: Record<string, T[]> = {}
  for (const one of all) groups[of(one)] = [...(groups[of(one)] ?? []), one]
  return groups
}

function countBy<T>(all: readonly T[], of: (one: T) => string): Record<string, number> {
  return Object.fromEntries(Object.entries(groupBy(all, of)).map(([key, group]) => [key, group.length]))
}

function spread(values: readonly number[]): Spread {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b)
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  return { p50: at(0.5), p95: at(0.95), max: at(1) }
}

const round = (value: number) => Math.round(value * 100) / 100

function tableOf({
  machine,
  plain,
  pressure,
  target,
}: {
  machine: { node: string; cores: number; cpu: string; load: number }
  plain: Plain
  pressure: Pressure
  target: { met: boolean; lost: number }
}): string {
  const counts = (all: Record<string, number>) =>
    Object.entries(all)
      .map(([method, n]) => `${method} ${n}`)
      .join(', ') || 'none'
  const limits = Object.entries(pressure.busiest).map(
    ([method, { calls, of }]) => `${method} ${calls} of ${of}`,
  )
  return [
    '| | plain, one after the other | at once |',
    '|---|---|---|',
    `| questions | ${plain.questions} | ${pressure.threads} in ${pressure.channels} channels |`,
    `| answered | ${plain.questions} | ${pressure.answered} |`,
    `| calls an answer | ${plain.callsPerAnswer} | ${pressure.callsPerAnswer} |`,
    `| first sign, p50 / p95 / most | ${plain.firstSignMs.p50} / ${plain.firstSignMs.p95} / ${plain.firstSignMs.max} ms | ${pressure.firstSignSeconds.p50} / ${pressure.firstSignSeconds.p95} / ${pressure.firstSignSeconds.max} s |`,
    `| answer, p50 / p95 / most | | ${pressure.answerSeconds.p50} / ${pressure.answerSeconds.p95} / ${pressure.answerSeconds.max} s |`,
    `| dropped | ${counts(plain.dropped)} | ${counts(pressure.dropped)} |`,
    `| refused by a limit | none | ${counts(pressure.limited)} |`,
    '',
    `A plain answer: ${counts(plain.byMethod)}. The longest silence is ${plain.longestSilenceMs} ms, while the model thinks (${THINKING.least} to ${THINKING.most} ms).`,
    `The busiest minute of each method as calls arrived (posts: 3 s of a channel): ${limits.join(', ')}.`,
    `Slack's published limits${pressure.speed === 1 ? '' : `, at once with a clock ${pressure.speed} times as fast, in seconds of that clock`}. Node ${machine.node}, ${machine.cores} cores (${machine.cpu}) with ${machine.load} processes at work, everything in one process.`,
    `Target: at most ${TARGET.calls} calls an answer, first sign within ${TARGET.firstSignMs / 1000} s, no answer lost: ${target.met && target.lost === 0 ? 'met' : 'missed'}.`,
  ].join('\n')
}
