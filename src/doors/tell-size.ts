/** What `quorum size` says. */
import { disagree, type Sized } from '../core/size.ts'
import type { Burning, Size } from './size.ts'

export function* tellSize(size: Size): Generator<string> {
  const { load, goal, needed, today, callsAnHour } = size
  yield `${number(load.questions)} questions and ${number(callsAnHour)} calls of the model in the busiest hour; a call takes ${seconds(load.work.mean)}, coefficient of variation ${Math.sqrt(load.work.cv2).toFixed(2)}; ${goal.atOnce} at once on a replica.`
  yield ''
  yield* tableOf(size)
  yield ''
  if (needed === undefined)
    yield `No number of replicas that was tried keeps 95 of 100 waits below ${seconds(goal.waitS)}: look at the times and the numbers given.`
  else
    yield `N = ${needed}: 95 of 100 calls wait ${seconds(goal.waitS)} at most. N+1 = ${needed + 1}: so they do while one is down.${today ? ` Now: ${today}.` : ''}`
  if (size.rows.some(isApart))
    yield '! The formula and the simulation are more than 10 % apart: the formula is an approximation where times or gaps do not vary like chance, and takes every replica to be as slow as a full one; near 90 % in use and above the simulation scatters from seed to seed. N holds by both.'
  yield* spillOf(size)
  yield* settingsOf(size)
  if (size.burn) yield* burnOf(size.burn)
  const { measured, given, assumed } = load.notes
  for (const [word, notes] of Object.entries({ Measured: measured, Given: given, Assumed: assumed }))
    if (notes.length > 0) yield `${word}: ${notes.join('; ')}.`
}

const isApart = ({ expected, played, left }: Sized) =>
  (played && (disagree(expected.mean, played.mean) || disagree(expected.p95, played.p95))) ||
  disagree(expected.left, left, 0.005)

function* tableOf({ rows, needed, goal }: Size): Generator<string> {
  const both = (one: string, other: string | undefined, apart: boolean) =>
    `${one} / ${other ?? '-'}${apart ? ' !' : '  '}`
  const cells = [
    ['replicas', 'in use', 'mean wait', '95 % wait', 'find no room', ''],
    ...rows.map((row) => {
      const { expected, played, left } = row
      const unstable = expected.utilisation >= 1
      const wait = (what: 'mean' | 'p95') =>
        unstable || !played
          ? 'grows'
          : both(seconds(expected[what]), seconds(played[what]), disagree(expected[what], played[what]))
      return [
        `${row.replicas}`,
        percent(expected.utilisation),
        wait('mean'),
        wait('p95'),
        both(percent(expected.left), percent(left), disagree(expected.left, left, 0.005)),
        unstable
          ? 'unstable: more comes than can be done'
          : row.replicas === needed
            ? 'N'
            : row.holds
              ? ''
              : 'too slow',
      ]
    }),
  ]
  const widths = cells[0]?.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0))) ?? []
  for (const row of cells)
    yield row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd()
  yield `(formula / simulation of ${number(goal.calls)} calls, seed ${goal.seed}; "find no room": calls that would go to a cloud pool at once, where one may take them)`
}

function* spillOf({ spill, needed }: Size): Generator<string> {
  if (!spill || !needed) return
  const where = spill.pool
    ? `to ${spill.pool}`
    : 'to a cloud pool, if one stood under `instead`; else they wait'
  const cost =
    spill.dollarsAnHour === undefined
      ? ''
      : `: $${spill.dollarsAnHour.toFixed(2)} for each busy hour that it is down`
  yield `When one of ${needed} dies, ${percent(spill.less)} of the calls instead of ${percent(spill.all)} go ${where}${cost}.`
}

function* settingsOf({ vllm, workers }: Size): Generator<string> {
  const batched = vllm.maxNumBatchedTokens ? ` --max-num-batched-tokens ${vllm.maxNumBatchedTokens}` : ''
  const kv = vllm.kvTokens
    ? `; its KV cache should hold ${number(vllm.kvTokens)} tokens for that many calls of the mean size`
    : ''
  yield `vLLM: --max-num-seqs ${vllm.maxNumSeqs}${batched} --enable-prefix-caching, and \`atOnce: ${vllm.maxNumSeqs}\` in models.yaml${kv}.`
  if (workers)
    yield `Workers: ${workers.atOnce} runs at once; ${workers.processes} processes with QUORUM_SLOTS=${workers.slots}, one of which may be down (now ${workers.slotsNow} each).`
}

function* burnOf({ from, tokensADay, mostTokens, dollarsADay, limits }: Burning): Generator<string> {
  const most = mostTokens ? `, ${number(mostTokens)} on the busiest` : ''
  const cloud = dollarsADay ? `, $${dollarsADay.toFixed(2)} on cloud models` : ''
  const of = limits.map(
    ({ every, unit, allowed, share }) =>
      `${percent(share)} of the workspace's ${unit === 'tokens' ? number(allowed) : '$'.concat(number(allowed))}${unit === 'tokens' ? ' tokens' : ''} a ${every}${share > 1 ? ': too little' : ''}`,
  )
  const against = of.length > 0 ? of.join(', ') : 'budgets.yaml sets no limit for the workspace'
  yield `Budget: ${number(tokensADay)} tokens a day${most}${cloud} (${from}): ${against}.`
}

const number = (value: number) => Math.round(value).toLocaleString('en-US')
const percent = (share: number) => `${share < 0.1 ? (share * 100).toFixed(1) : number(share * 100)} %`
const seconds = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} s`
