/** The key that seals connected accounts: of the environment, or a file beside the embedded database. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Env } from '../core/env.ts'
import type { Home } from '../core/home.ts'
import { openSeal, type Seal } from '../store/seal.ts'

/**
 * Undefined where there is no key. The file protects copies of the database alone, not of its directory: enough for
 * the demo and for one machine. A database that several processes share needs QUORUM_SECRET.
 *
 * @param options.make whether a missing file is made
 * @throws Fault config-invalid where what there is are no keys
 */
export function readSeal(
  env: Pick<Env, 'QUORUM_SECRET' | 'QUORUM_DATA' | 'DATABASE_URL'>,
  options: { make: boolean },
): Seal | undefined {
  if (env.QUORUM_SECRET) return openSeal(env.QUORUM_SECRET)
  if (env.DATABASE_URL) return undefined
  const file = path.join(env.QUORUM_DATA, 'secret')
  if (!existsSync(file)) {
    if (!options.make) return undefined
    mkdirSync(env.QUORUM_DATA, { recursive: true })
    writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' })
  }
  return openSeal(readFileSync(file, 'utf8').trim())
}

/** Whether people connect accounts to a server of this home. */
export function needsSeal(home: Pick<Home, 'servers'>): boolean {
  return Object.values(home.servers).some((server) => 'url' in server && server.auth?.type === 'oauth')
}
