/** `quorum start [--only slack]` and `quorum worker`: a deployment's processes. */
import { parseArgs } from 'node:util'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import type { Part } from './attend.ts'
import { type Engines, openEngines } from './engines.ts'
import { readEnv } from './environment.ts'
import { keepVectors } from './learn.ts'
import { keepReading } from './reading.ts'
import { type SlackAddress, serve } from './serve.ts'
import { untilAsked } from './until.ts'

export const START_USAGE = 'quorum start [--only slack]'

/** Listens to Slack and advances runs, or only listens. Answers the exit code, after a clean end. */
export async function startDoor(args: string[]): Promise<number> {
  const { values } = parseArgs({ args, options: { only: { type: 'string' } } })
  if (values.only !== undefined && values.only !== 'slack') {
    process.stderr.write(`Usage: ${START_USAGE}\n`)
    return 2
  }
  return run(values.only === 'slack' ? 'slack' : 'all')
}

/** Advances runs that another process heard of. Answers the exit code, after a clean end. */
export async function workerDoor(args: string[]): Promise<number> {
  parseArgs({ args, options: {} })
  return run('worker')
}

async function run(part: Part): Promise<number> {
  const env = readEnv()
  if (part !== 'all' && !env.DATABASE_URL) {
    throw new Fault(
      'config-invalid',
      'Splitting into processes needs a database they share: set DATABASE_URL.',
    )
  }
  const slackAt = readSlack(env)
  const asked = untilAsked()
  await using engines = await openEngines({ env })
  const serving = await serve(engines, slackAt, part, (workspace) => learn(engines, workspace))
  try {
    const { log } = engines
    log('info', 'quorum is running', {
      part,
      workspaces: serving.workspaces(),
      health: `http://${env.HOST}:${serving.port}/health`,
    })
    const signal = await asked
    log('info', 'closing', { signal })
  } finally {
    await serving.close()
  }
  return 0
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
