/** `quorum demo [--fresh] [--port N]`: everything in this process, a small Slack included. */
import { mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Env, Env as EnvSchema } from '../core/env.ts'
import { openStandIn } from '../demo/standin/open.ts'
import { openWorkspace, type Workspace } from '../demo/workspace/open.ts'
import { openEngines } from './engines.ts'
import { makeVectors, readSources } from './learn.ts'
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
  const port = Number(values.port)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    process.stderr.write(`Usage: ${DEMO_USAGE}\n`)
    return 2
  }
  const asked = untilAsked()
  const data = path.resolve('.quorum', 'demo')
  if (values.fresh) await rm(data, { recursive: true, force: true })
  const demo = await openDemo({ data, port })
  process.stdout.write(tellWhere(demo, port))
  await asked
  process.stdout.write('\nClosing. What was said is kept; start again with: npm run demo\n')
  await demo.close()
  return 0
}

export type Demo = { workspace: Workspace; model: string; standIn: boolean; close(): Promise<void> }

/** Opens the whole demo: the local workspace, the handbook's pages, the agent, and a stand-in where no model is found. */
export async function openDemo(options: {
  data: string
  port: number
  log?: string
  settings?: Partial<Env>
}): Promise<Demo> {
  const { data } = options
  const scratch = path.join(data, 'scratch')
  await mkdir(scratch, { recursive: true })
  await using opened = new AsyncDisposableStack()
  const docs = path.join(HOME, 'handbook')
  const workspace = await openWorkspace({
    port: options.port,
    file: path.join(data, 'workspace.jsonl'),
    docs,
  })
  opened.defer(() => workspace.close())
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
        const model = await openStandIn({})
        opened.defer(() => model.close())
        standIn = true
        return { model: model.model, replicas: [model.url] }
      },
    }),
  )
  const { botToken, appToken, apiUrl } = workspace
  const serving = await serve(engines, { botToken, appToken, apiUrl }, 'all')
  const stop = new AbortController()
  await readSources(engines, serving.workspace, stop.signal)
  const learning = makeVectors(engines, stop.signal)
  opened.defer(async () => {
    stop.abort()
    await Promise.all([serving.close(3_000), learning])
  })
  const rest = opened.move()
  return { workspace, model: engines.chat.model, standIn, close: () => rest.disposeAsync() }
}

/** The demo's settings: embedded engines always, the model of the environment where there is one. */
function demoEnv(data: string, options: { log?: string; settings?: Partial<Env> }): Env {
  const { OPENAI_BASE_URL, OPENAI_API_KEY, OPENAI_MODEL } = process.env
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
    wanted !== 0 && !url.includes(`:${wanted}`) ? `Port ${wanted} is taken, so another one is used.\n` : ''
  const model = demo.standIn
    ? 'No model was found, so a stand-in answers: scripted, no AI. Set OPENAI_BASE_URL or start Ollama for a real one.'
    : `Model: ${demo.model}`
  return `${moved}\n  Quorum demo   ${url}\n\n${model}\nTry: @quorum how do we roll back a deploy?\nCtrl-C ends it; --fresh starts over.\n`
}
