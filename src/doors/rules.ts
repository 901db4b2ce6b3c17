/** Opening what `quorum policy` and `quorum tools` need: the home, and for tools every server of mcp.json. */
import { openVault } from '../agent/accounts/vault.ts'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import { readHome } from '../home/read.ts'
import { pending } from '../store/migrate.ts'
import { openStore } from '../store/open.ts'
import { openLog } from '../telemetry/log.ts'
import type { Vault } from '../tools/access.ts'
import { openTools } from '../tools/open.ts'
import { readEnv } from './environment.ts'
import { policyDoor } from './policy.ts'
import { print } from './print.ts'
import { needsSeal, readSeal } from './secret.ts'
import { askTerminal, toolsDoor } from './tools.ts'

export function openPolicy(args: string[]): Promise<number> {
  const env = readEnv()
  return policyDoor(args, { home: () => readHome(env.QUORUM_HOME, process.env), print })
}

export async function openToolsDoor(args: string[]): Promise<number> {
  const env = readEnv()
  const { log, logger } = openLog('warn')
  const home = await readHome(env.QUORUM_HOME, process.env, { accepting: true })
  const { dir, policy, written } = home
  await using opened = new AsyncDisposableStack()
  const vault = needsSeal(home) ? await openAccounts(env, opened, logger) : undefined
  const options = { env: process.env, cwd: dir, policy, written, vault, log }
  const tools = opened.use(openTools(home.servers, options))
  const ask = askTerminal()
  return await toolsDoor(args, { home, tools, print, ...(ask ? { ask } : {}) })
}

/** The accounts that people connected, with one of which a server lists its tools; undefined where there are none. */
async function openAccounts(
  env: Env,
  opened: AsyncDisposableStack,
  log: Parameters<typeof openStore>[0]['log'],
): Promise<Vault | undefined> {
  try {
    const seal = readSeal(env, { make: false })
    if (!seal) return undefined
    const { DATABASE_URL: databaseUrl, QUORUM_DATA: dataDir } = env
    const store = opened.use(await openStore({ databaseUrl, dataDir, log }))
    return (await pending(store.pool)).length === 0 ? openVault(store.pool, seal) : undefined
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    print(`The accounts that people connected cannot be used just now: ${error.message}`)
    return undefined
  }
}
