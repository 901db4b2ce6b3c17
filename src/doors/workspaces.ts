/** `quorum workspaces`: where Quorum is installed; a link to install it; ending an installation. */
import { parseArgs } from 'node:util'
import type pg from 'pg'
import { remove } from '../agent/installs/change.ts'
import { inviteLink } from '../agent/installs/install.ts'
import { openToken } from '../agent/installs/tokens.ts'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import { openSlackOAuth, type SlackOAuth } from '../slack/oauth.ts'
import { forgetInstall, type Install, listInstalls, listServed, readInstall } from '../store/installs.ts'
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/open.ts'
import type { Seal } from '../store/seal.ts'
import { inTransaction } from '../store/transaction.ts'
import { addressOf } from './connect.ts'
import { readEnv } from './environment.ts'
import { sealFor } from './install.ts'
import { print } from './print.ts'
import { readSeal } from './secret.ts'

const WORKSPACES_USAGE = `quorum workspaces
quorum workspaces invite [--days 7]
quorum workspaces remove T…|E… --yes`

const DAY_MS = 86_400_000

/** Answers the exit code. */
export async function workspacesDoor(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { days: { type: 'string', default: '7' }, yes: { type: 'boolean', default: false } },
  })
  const [word, holder, ...more] = positionals
  const env = readEnv()
  const days = /^\d{1,3}$/.test(values.days) ? Number(values.days) : 0
  if (word === undefined) return withStore(env, list)
  if (word === 'invite' && holder === undefined && days > 0) return invite(env, days)
  if (word === 'remove' && holder && more.length === 0)
    return withStore(env, (pool) => leave(env, pool, holder, values.yes))
  print(`Usage: ${WORKSPACES_USAGE}`)
  return 2
}

/** What the app is to Slack, and what its tokens are sealed with. @throws Fault config-invalid where that is not set */
export function heldBy(env: Env): { oauth: SlackOAuth; seal: Seal } {
  const { SLACK_CLIENT_ID: clientId, SLACK_CLIENT_SECRET: clientSecret, SLACK_API_URL: apiUrl } = env
  if (!clientId || !clientSecret)
    throw new Fault('config-invalid', 'Set SLACK_CLIENT_ID and SLACK_CLIENT_SECRET, from Basic Information.')
  return {
    oauth: openSlackOAuth({ clientId, clientSecret }, { apiUrl }),
    seal: sealFor({ seal: readSeal(env, { make: true }) }),
  }
}

function invite(env: Env, days: number): number {
  const { seal } = heldBy(env)
  print(inviteLink({ seal, base: () => addressOf(env, env.PORT) }, days * DAY_MS))
  const where = env.QUORUM_URL
    ? ''
    : ' It leads to this machine only: set QUORUM_URL to the address that browsers reach.'
  print(`For one workspace or organisation, once, within ${days === 1 ? 'a day' : `${days} days`}.${where}`)
  return 0
}

async function withStore(env: Env, work: (pool: pg.Pool) => Promise<number>): Promise<number> {
  await using store = await openStore({ databaseUrl: env.DATABASE_URL, dataDir: env.QUORUM_DATA })
  await migrate(store.pool)
  return await work(store.pool)
}

async function list(pool: pg.Pool): Promise<number> {
  const [installs, served] = [await listInstalls(pool), await listServed(pool)]
  if (installs.length === 0)
    print('Quorum is installed nowhere by its own page. A link for it: quorum workspaces invite')
  for (const install of installs) {
    print(`${install.holder.padEnd(14)} ${install.name.padEnd(24)} ${tellInstall(install)}`)
    if (install.holder.startsWith('E'))
      for (const { workspace, name, holder } of served)
        if (holder === install.holder) print(`  ${workspace.padEnd(12)} ${name}`)
  }
  return 0
}

/** How an installation is, in words. */
export function tellInstall({ state, installedAt, expiresAt, person }: Install): string {
  if (state === 'removed') return 'removed from Slack'
  const since = `installed ${installedAt.toISOString().slice(0, 10)} by ${person}`
  if (state === 'installed') return since
  return `${since}; must be installed again before ${expiresAt?.toISOString().slice(0, 16) ?? 'its token ends'}Z`
}

async function leave(env: Env, pool: pg.Pool, holder: string, yes: boolean): Promise<number> {
  const install = await readInstall(pool, holder)
  if (!install?.sealed) {
    print(`Quorum is not installed in ${holder}. Where it is: quorum workspaces`)
    return 1
  }
  if (!yes) {
    print(
      `Nothing was done. With --yes Quorum leaves ${install.name}: its work there ends, its token is forgotten.`,
    )
    return 2
  }
  const { oauth, seal } = heldBy(env)
  const { token } = openToken(seal, install)
  const told = await oauth.leave(token)
  const { runs } = await inTransaction(pool, async (tx) => {
    const ended = await remove(tx, holder)
    await forgetInstall(tx, holder) // Whoever runs this does not want it back uninvited.
    return ended
  })
  print(`Quorum left ${install.name}; ${runs === 1 ? '1 run was' : `${runs} runs were`} ended.`)
  if (!told) print('Slack did not confirm it: remove the app there as well.')
  return 0
}
