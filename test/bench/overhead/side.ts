/** One side of the comparison: a process of its own, answering on a workspace of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { openWorkspace, type Workspace } from '../../../src/demo/workspace/open.ts'
import { ANSWER } from './model.ts'

/** Milliseconds from one mention to the first message in its thread, and to the answer. */
export type Sample = { sign: number; answer: number }

export type Side = AsyncDisposable & {
  /** Mentions the agent in so many new threads at once, and waits for all answers. */
  burst(threads: number): Promise<Sample[]>
}

/** A burst that takes longer than this has lost something. */
const LONGEST_MS = 120_000

/** Starts `node ARGS` in `dir` with the addresses of a new workspace, and waits until it listens. */
export async function openSide(args: string[], dir: string, env: Record<string, string>): Promise<Side> {
  await using opened = new AsyncDisposableStack()
  const workspace = opened.use(await openWorkspace())
  const { botToken, appToken, apiUrl } = workspace
  const file = path.join(dir, 'log')
  const log = openSync(file, 'a')
  const child = spawn(process.execPath, args, {
    cwd: dir,
    env: {
      PATH: process.env.PATH ?? '',
      SLACK_BOT_TOKEN: botToken,
      SLACK_APP_TOKEN: appToken,
      SLACK_API_URL: apiUrl,
      ...env,
    },
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  opened.defer(() => end(child))
  try {
    await workspace.until(() => workspace.connections() > 0 || child.exitCode !== null, 60_000)
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
  } catch (cause) {
    const why = readFileSync(file, 'utf8').slice(-2_000)
    throw new Error(`${args.join(' ')} does not listen:\n${why}`, { cause })
  }
  const rest = opened.move()
  return {
    burst: (threads) => burst(workspace, threads),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const limit = setTimeout(() => child.kill('SIGKILL'), 15_000)
  await ended
  clearTimeout(limit)
}

/** What is known of one thread so far: when its question was written, and when its first signs came. */
type Seen = { asked: number; sign?: number; answer?: number }

async function burst(workspace: Workspace, threads: number): Promise<Sample[]> {
  const { calls, channels, users } = workspace
  calls.length = 0
  const seen = new Map<string, Seen>()
  for (let i = 0; i < threads; i++) {
    const asked = Date.now()
    const ts = await workspace.say(users.ana, channels.general, `@quorum How many splines are there (${i})?`)
    seen.set(ts, { asked })
  }
  let [read, answered] = [0, 0]
  await workspace.until(() => {
    for (; read < calls.length; read++) {
      const call = calls[read]
      const thread = call?.method === 'chat.postMessage' && call.ok ? call.args.thread_ts : undefined
      const one = typeof thread === 'string' ? seen.get(thread) : undefined
      if (!call || !one) continue
      one.sign ??= call.at - one.asked
      if (one.answer !== undefined || !JSON.stringify(call.args).includes(ANSWER)) continue
      one.answer = call.at - one.asked
      answered += 1
    }
    return answered === threads
  }, LONGEST_MS)
  return [...seen.values()].map(({ sign = Number.NaN, answer = Number.NaN }) => ({ sign, answer }))
}
