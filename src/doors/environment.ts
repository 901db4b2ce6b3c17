/** The environment, read once: `.env` beside where we were started, then the process's own. */
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'

/** Reads and checks the settings. Throws `config-invalid` with every problem, one a line. */
export function readEnv(): Env {
  if (existsSync('.env')) process.loadEnvFile('.env')
  const parsed = Env.safeParse(process.env)
  if (parsed.success) return parsed.data
  throw new Fault('config-invalid', `The environment has problems:\n${z.prettifyError(parsed.error)}`)
}
