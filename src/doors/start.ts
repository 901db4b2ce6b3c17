/** `quorum start [--only slack]` and `quorum worker`: a deployment's processes. */
import { parseArgs } from 'node:util'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import type { Part } from './attend.ts'
import { openEngines } from './engines.ts'
import { readEnv } from './environment.ts'
import { keepVectors } from './learn.ts'
import { keepReading, type Reading } from './reading.ts'
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
  const engines = await openEngines({ env })
  const stop = new AbortController()
  let reading: Reading | undefined
  try {
    const serving = await serve(engines, slackAt, part)
    const { log } = engines
    log('info', 'quorum is running', {
      part,
      workspace: serving.workspace,
      health: `http://${env.HOST}:${serving.port}/health`,
    })
    if (part !== 'slack') reading = keepReading(engines, serving.workspace)
    const vectors = reading && keepVectors(engines, serving.workspace, stop.signal)
    const signal = await asked
    log('info', 'closing', { signal })
    stop.abort()
    await Promise.all([serving.close(), reading?.close(), vectors])
  } finally {
    stop.abort()
    await reading?.close()
    await engines[Symbol.asyncDispose]()
  }
  return 0
}

/** The Slack half of the environment. Throws `config-invalid` naming what is missing. */
export function readSlack(env: Env): SlackAddress {
  const missing: string[] = []
  if (!env.SLACK_BOT_TOKEN) missing.push('SLACK_BOT_TOKEN')
  if (!env.SLACK_APP_TOKEN && !env.SLACK_SIGNING_SECRET)
    missing.push('SLACK_APP_TOKEN (or SLACK_SIGNING_SECRET)')
  if (missing.length > 0) {
    const sentence = `Slack is not configured: set ${missing.join(' and ')} in .env. Without Slack, try: npm run demo`
    throw new Fault('config-invalid', sentence)
  }
  return {
    botToken: env.SLACK_BOT_TOKEN ?? '',
    appToken: env.SLACK_APP_TOKEN,
    signingSecret: env.SLACK_SIGNING_SECRET,
    apiUrl: env.SLACK_API_URL,
  }
}
