/** What Slack says of our installations: removed, or an organisation let us into other workspaces. */
import type pg from 'pg'
import type { InstallChange } from '../../slack/installs.ts'
import type { SlackOAuth } from '../../slack/oauth.ts'
import { forgetConnected } from '../../store/credentials.ts'
import { endWork } from '../../store/ending.ts'
import {
  dropWorkspaces,
  forgetToken,
  holderOf,
  type Install,
  listInstalls,
  putWorkspace,
  readInstall,
} from '../../store/installs.ts'
import type { Seal } from '../../store/seal.ts'
import { inTransaction, type Tx } from '../../store/transaction.ts'
import { openToken, openTokens, type TokensContext } from './tokens.ts'

export type ChangeContext = {
  pool: pg.Pool
  /** Absent where nobody can install the app by its own page. */
  held?: { oauth: Pick<SlackOAuth, 'teams' | 'works' | 'renew'>; seal: Seal } | undefined
  poke: () => void
  log: TokensContext['log']
}

/** Slack counts in seconds, and its clock is not ours: what is nearer than this to an installation may be before it. */
const DOUBT_MS = 60_000

/** Acts on it before Slack is answered; throws where the store is away, and Slack repeats it. */
export async function takeInstallChange(context: ChangeContext, change: InstallChange): Promise<void> {
  const { pool, log } = context
  const { holder } = change
  const install = await readInstall(pool, holder)
  if (change.kind === 'removed') {
    if (install && (await isOfBefore(context, install, change.at))) return
    const ended = await inTransaction(pool, (tx) => remove(tx, holder))
    log('warn', 'the app was removed from Slack: its token is forgotten and its work is ended', {
      holder,
      ...ended,
    })
  } else if (install?.sealed && change.kind === 'granted') {
    await syncTeams(context, install)
  } else if (change.kind === 'withdrawn') {
    await inTransaction(pool, (tx) => leaveTeams(tx, holder, { among: change.teams }))
    log('warn', 'an organisation took the app out of workspaces', { holder, teams: change.teams })
  }
  context.poke()
}

/** Events come late and come again: one about an earlier installation must not end this one. */
async function isOfBefore({ held }: ChangeContext, install: Install, at: number): Promise<boolean> {
  const { sealed, installedAt } = install
  if (!sealed || !held || at * 1000 > installedAt.getTime() + DOUBT_MS) return false
  let token: string
  try {
    token = openToken(held.seal, install).token
  } catch {
    return false // Nobody can use it either.
  }
  return held.oauth.works(token)
}

/** Forgets the token and all that was connected in its workspaces, and ends what is under way there. */
export async function remove(tx: Tx, holder: string): Promise<{ workspaces: number; runs: number }> {
  await forgetToken(tx, holder)
  const workspaces = await dropWorkspaces(tx, holder)
  // One that is served by a token of the environment stands in no table; one of an organisation's goes on.
  const alone = holder.startsWith('T') && !workspaces.includes(holder) && !(await holderOf(tx, holder))
  if (alone) workspaces.push(holder)
  let runs = 0
  for (const workspace of workspaces) runs += await endAll(tx, workspace)
  return { workspaces: workspaces.length, runs }
}

async function leaveTeams(
  tx: Tx,
  holder: string,
  which: Parameters<typeof dropWorkspaces>[2],
): Promise<void> {
  for (const workspace of await dropWorkspaces(tx, holder, which)) await endAll(tx, workspace)
}

async function endAll(tx: Tx, workspace: string): Promise<number> {
  await forgetConnected(tx, workspace)
  return endWork(tx, workspace, 'the app was removed from Slack')
}

/** Asks Slack which workspaces an organisation lets us into. @throws Fault */
async function syncTeams({ pool, held, log }: ChangeContext, { holder, id }: Install): Promise<void> {
  if (!held) return
  const teams = await held.oauth.teams(await openTokens({ pool, log, ...held }, holder, id).now())
  await inTransaction(pool, async (tx) => {
    for (const { id, name } of teams) await putWorkspace(tx, { workspace: id, name, holder })
    await leaveTeams(tx, holder, { except: teams.map((team) => team.id) })
  })
  log('info', 'an organisation lets the app into these workspaces', {
    holder,
    teams: teams.map((team) => team.id),
  })
}

/** Asks it of every organisation, for events that were lost. Never throws where Slack does not answer. */
export async function syncOrganisations(context: ChangeContext): Promise<void> {
  for (const install of await listInstalls(context.pool)) {
    if (!install.holder.startsWith('E') || install.state !== 'installed') continue
    await syncTeams(context, install).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error)
      context.log('warn', 'an organisation could not be asked for its workspaces', {
        holder: install.holder,
        why,
      })
    })
  }
}
