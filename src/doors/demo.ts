/** `quorum demo [--fresh] [--port N]`: everything in this process, a small Slack included. */
import { mkdir, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Env, Env as EnvSchema } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import { openStandIn } from '../demo/standin/open.ts'
import { openWorkspace, type Workspace } from '../demo/workspace/open.ts'
import { lockDirectory } from '../store/lock.ts'
import { openEngines } from './engines.ts'
import { readEnv } from './environment.ts'
import { keepVectors } from './learn.ts'
import { keepReading } from './reading.ts'
import { serve } from './serve.ts'
import { untilAsked } from './until.ts'

export const DEMO_USAGE = 'quorum demo [--fresh] [--port 4400]'

const HOME = fileURLToPath(new URL('../demo/home', import.meta.url))
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))

/** Runs the demo until Ctrl-C. Answers the exit code. */
export async function demoDoor(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { fresh: { type: 'boolean' }, port: { type: 'string', default: '4400' } },
  })
  const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : Number.NaN
  if (!(port <= 65_535)) {
    process.stderr.write(`A port is a number from 0 to 65535.\nUsage: ${DEMO_USAGE}\n`)
    return 2
  }
  const say = (words: string) => process.stdout.write(words)
  let state: 'starting' | 'open' | 'ending' = 'starting'
  const asked = untilAsked().then(() => {
    if (state === 'starting')
      say('\nEnding as soon as the start is complete. Ctrl-C again ends it at once.\n')
    state = 'ending'
  })
  say('Starting. The first time it makes a database, which takes some seconds.\n')
  const demo = await openDemo({ data: path.resolve('.quorum', 'demo'), port, fresh: values.fresh ?? false })
  if (state === 'starting') {
    state = 'open'
    say(tellWhere(demo, port))
  }
  await asked
  say('\nClosing. What was said is kept; start again with: npm run demo\n')
  await demo.close()
  return 0
}

export type Demo = { workspace: Workspace; model: string; standIn: boolean; close(): Promise<void> }

/**
 * Opens the whole demo: the local workspace with the handbook's pages, the agent, and a stand-in where no model is
 * found. `data` is for one demo at a time; `fresh` empties it first.
 *
 * Throws `Fault('store-locked')` where another demo runs there, and `Fault('config-invalid')` where no port near
 * the wanted one is free.
 */
export async function openDemo(options: {
  data: string
  port: number
  fresh?: boolean
  log?: string
  settings?: Partial<Env>
}): Promise<Demo> {
  await using opened = new AsyncDisposableStack()
  const { data } = options
  const scratch = path.join(data, 'scratch')
  await mkdir(data, { recursive: true })
  const lock = lockDirectory(data)
  opened.defer(() => lock.release())
  if (options.fresh) await empty(data)
  await mkdir(scratch, { recursive: true })
  const workspace = opened.use(await openPlace(data, options.port))
  Object.assign(process.env, {
    QUORUM_NODE: process.execPath,
    QUORUM_MODULES: MODULES,
    QUORUM_SCRATCH: scratch,
    QUORUM_HANDBOOK_URL: `${workspace.url}/docs`,
  })

  let standIn = false
  const engines = opened.use(
    await openEngines({
      env: demoEnv(data, options),
      fallback: async () => {
        const model = opened.use(await openStandIn({}))
        standIn = true
        return { model: model.model, replicas: [model.url] }
      },
    }),
  )
  const stop = new AbortController()
  // Loading takes a second of which the first question need not wait.
  void engines.embedder.ready()
  const reading = keepReading(engines, workspace.team)
  opened.defer(() => reading.close())
  const learning = keepVectors(engines, workspace.team, stop.signal)
  opened.defer(() => learning)
  opened.defer(() => stop.abort())
  const { botToken, appToken, apiUrl } = workspace
  const serving = await serve(engines, { botToken, appToken, apiUrl }, 'all')
  opened.defer(() => serving.close(3_000))
  await reading.first
  const rest = opened.move()
  return { workspace, model: engines.models.model, standIn, close: () => rest.disposeAsync() }
}

/** Removes everything in a directory except what says whose it is. */
async function empty(dir: string): Promise<void> {
  const names = (await readdir(dir)).filter((name) => !/^(lock|owner)\b/.test(name))
  await Promise.all(names.map((name) => rm(path.join(dir, name), { recursive: true, force: true })))
}

async function openPlace(data: string, port: number): Promise<Workspace> {
  const file = path.join(data, 'workspace.jsonl')
  const team = { id: 'T0DEMO', name: 'Berthline' }
  try {
    return await openWorkspace({ port, file, team, docs: path.join(HOME, 'handbook') })
  } catch (cause) {
    if (!['EADDRINUSE', 'EACCES'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause
    const message = `Neither port ${port} nor the ports after it can be used. Choose another with --port.`
    throw new Fault('config-invalid', message, { cause })
  }
}

/** The demo's settings: embedded engines always, the model of the environment where there is one. */
function demoEnv(data: string, options: { log?: string; settings?: Partial<Env> }): Env {
  const { OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL } = readEnv()
  const base = EnvSchema.parse({
    QUORUM_HOME: HOME,
    QUORUM_DATA: data,
    PORT: 0,
    LOG_LEVEL: options.log ?? 'warn',
  })
  return { ...base, OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL, ...options.settings }
}

function tellWhere(demo: Demo, wanted: number): string {
  const { url } = demo.workspace
  const moved =
    wanted !== 0 && !url.endsWith(`:${wanted}`) ? `Port ${wanted} is taken, so another one is used.\n` : ''
  const model = demo.standIn
    ? 'No model was found, so a stand-in answers: scripted, no AI. Set OPENAI_BASE_URL or start Ollama for a real one.'
    : `Model: ${demo.model}`
  return `${moved}\n  Quorum demo   ${url}\n\n${model}\nTry: @quorum how do we roll back a deploy?\nCtrl-C ends it; --fresh starts over.\n`
}
