/** `quorum start [--only slack]` and `quorum worker`: a deployment's processes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import { openLog } from '../telemetry/log.ts'
import type { Part } from './attend.ts'
import { type Engines, openEngines } from './engines.ts'
import { readEnv } from './environment.ts'
import { keepVectors } from './learn.ts'
import { keepReading } from './reading.ts'
import { GRACE_MS, type SlackAddress, serve } from './serve.ts'
import { type Asked, endBy } from './until.ts'

export const START_USAGE = 'quorum start [--only slack]'

/** The end may take so long, in ms: that of serving, of the ledger and of the store. */
const END_MS = GRACE_MS + 6_000
/** A process that is asked to end while it starts has so long to come to a place where it can, in ms. */
const START_GRACE_MS = 2_000

/** Listens to Slack and advances runs, or only listens, until asked to end. Answers the exit code. */
export async function startDoor(args: string[], asked: Asked): Promise<number> {
  const { values } = parseArgs({ args, options: { only: { type: 'string' } } })
  if (values.only !== undefined && values.only !== 'slack') {
    process.stderr.write(`Usage: ${START_USAGE}\n`)
    return 2
  }
  return run(values.only === 'slack' ? 'slack' : 'all', asked)
}

/** Advances runs that another process heard of, until asked to end. Answers the exit code. */
export async function workerDoor(args: string[], asked: Asked): Promise<number> {
  parseArgs({ args, options: {} })
  return run('worker', asked)
}

async function run(part: Part, asked: Asked): Promise<number> {
  const env = readEnv()
  if (part !== 'all' && !env.DATABASE_URL) {
    throw new Fault(
      'config-invalid',
      'Splitting into processes needs a database they share: set DATABASE_URL.',
    )
  }
  const slackAt = readSlack(env)
  const { log } = openLog(env.LOG_LEVEL)
  void asked.then((signal) => {
    log('info', 'closing', { signal })
    endBy(END_MS, (open) =>
      log('error', 'the end took too long; what was under way is taken up by others', { open }),
    )
  })
  const starting = open(env, slackAt, part)
  // What waits for a store or for Slack has nothing to end.
  const running =
    (await Promise.race([starting, asked.then(() => undefined)])) ??
    (await Promise.race([starting.catch(() => undefined), sleep(START_GRACE_MS, undefined)]))
  if (!running) return 0
  await asked
  await running.close()
  return 0
}

/** Opens everything and runs it. */
async function open(env: Env, slackAt: SlackAddress, part: Part): Promise<{ close(): Promise<void> }> {
  await using opened = new AsyncDisposableStack()
  const engines = opened.use(await openEngines({ env }))
  const serving = await serve(engines, slackAt, part, (workspace) => learn(engines, workspace))
  opened.defer(() => serving.close())
  engines.log('info', 'quorum is running', {
    part,
    workspaces: serving.workspaces(),
    health: `http://${env.HOST}:${serving.port}/health`,
  })
  const rest = opened.move()
  return { close: () => rest.disposeAsync() }
}

/** Reads the home's sources for a workspace and makes their vectors, until closed. */
function learn(engines: Engines, workspace: string): { close(): Promise<void> } {
  const stop = new AbortController()
  const reading = keepReading(engines, workspace)
  const vectors = keepVectors(engines, workspace, stop.signal)
  return {
    async close() {
      stop.abort()
      await Promise.all([reading.close(), vectors])
    },
  }
}

/** The Slack half of the environment. Throws `config-invalid` naming what is missing. */
export function readSlack(env: Env): SlackAddress {
  const { SLACK_CLIENT_ID: clientId, SLACK_CLIENT_SECRET: clientSecret } = env
  const missing: string[] = []
  if (!env.SLACK_BOT_TOKEN && !clientId) missing.push('SLACK_BOT_TOKEN (or SLACK_CLIENT_ID)')
  if (clientId && !clientSecret) missing.push('SLACK_CLIENT_SECRET')
  if (!env.SLACK_APP_TOKEN && !env.SLACK_SIGNING_SECRET)
    missing.push('SLACK_APP_TOKEN (or SLACK_SIGNING_SECRET)')
  if (missing.length > 0) {
    const sentence = `Slack is not configured: set ${missing.join(' and ')} in .env. Without Slack, try: npm run demo`
    throw new Fault('config-invalid', sentence)
  }
  return {
    botToken: env.SLACK_BOT_TOKEN,
    ...(clientId && clientSecret ? { app: { clientId, clientSecret } } : {}),
    appToken: env.SLACK_APP_TOKEN,
    signingSecret: env.SLACK_SIGNING_SECRET,
    apiUrl: env.SLACK_API_URL,
  }
}
