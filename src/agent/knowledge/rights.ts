/**
 * Rights: what everybody who can read a reply may read, as Slack says it just now. What Slack told is kept in the
 * store with when it was asked; events cast doubt on it; a recall asks again for what it leans on.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Kind } from '../../core/audience.ts'
import type { Roster } from '../../slack/roster.ts'
import { agedAudiences, namedScopes, readableAudiences } from '../../store/audiences.ts'
import {
  beginReading,
  claimDueScopes,
  doubtedPeople,
  endListing,
  hasOutsiders,
  momentOf,
  putPeople,
  putScope,
  refreshMemberStatistics,
  unsurePeople,
  unsureScopes,
} from '../../store/members.ts'

export type RightsContext = {
  pool: pg.Pool
  /** Absent where there is no Slack to ask: then only what is kept and not too old counts. */
  roster?: Roster | undefined
  log?: (level: 'warn', message: string, fields?: Record<string, unknown>) => void
}

export type Rights = {
  /**
   * Sees to it that the readers are known, and what was never asked for or is doubted, as far as that is few; the rest
   * is asked for in the background. A sentence for people where the readers are not known. Never fails.
   */
  meet(workspace: string, readers: string): Promise<string | undefined>
  /**
   * Whether people of other organisations are among the readers: others share the channel, or the one person is of
   * elsewhere. True where Slack does not tell. Never fails.
   */
  outside(workspace: string, readers: string): Promise<boolean>
  /** The audiences all readers may read: by what is known, and by what is known lately enough. */
  readable(workspace: string, readers: string): Promise<{ known: number[]; sure: number[] }>
  /** Asks Slack who is in the scopes of these audiences where that is not sure; false where it did not tell of all. */
  check(workspace: string, audiences: readonly number[]): Promise<boolean>
  /** Asks for some of what is doubted or old, so that recalls need not. */
  keep(workspace: string): Promise<void>
}

/** How old what Slack told may be, in ms. Events make it doubtful at once; this is for events that are lost. */
const AGES = { readers: 60_000, people: 30 * 60_000, audiences: 60_000 }
/** What is older than this is asked for in the background. */
const KEPT_MS = { scope: 10 * 60_000, everyone: 20 * 60_000 }
/** Scopes asked for in one turn of the background: Slack takes about 50 such calls a minute. */
const KEPT_AT_ONCE = 5
/** Scopes, and people, that are new or doubted and asked for by one recall. */
const CAUGHT_UP = 8
/** More unknown readers than this are looked up by listing the whole workspace. */
const ONE_BY_ONE = 30
/** How long a recall waits for Slack, in ms; what is asked for goes on and serves the next one. */
const PATIENCE_MS = 5_000

const UNTOLD = 'Slack does not say who can read this, so only what is surely theirs was searched'

export function openRights({ pool, roster, log }: RightsContext): Rights {
  const listings = new Map<string, Promise<string>>()
  const asking: Asking = new Map()

  /** Keeps what Slack tells of one scope. @throws Fault */
  async function read(from: Roster, workspace: string, scope: string): Promise<void> {
    const at = await beginReading(pool, workspace, scope)
    const id = scope.slice(scope.indexOf(':') + 1)
    const told = scope.startsWith('group:')
      ? { open: false, members: await from.group(id) }
      : await from.channel(id)
    await putScope(pool, workspace, scope, at, told)
  }

  async function know(workspace: string, scopes: readonly string[], ageMs: number): Promise<void> {
    const unsure = () => unsureScopes(pool, workspace, scopes, ageMs)
    await askTogether(asking, `${workspace} scope`, unsure, async (fresh) => {
      await Promise.all(fresh.map((scope) => read(demand(roster), workspace, scope)))
    })
  }

  /** Lists the workspace's people, once at a time, and gives the moment of which that tells. */
  function list(from: Roster, workspace: string): Promise<string> {
    const under = listings.get(workspace)
    if (under) return under
    const listing = listAll(pool, from, workspace).finally(() => listings.delete(workspace))
    listings.set(workspace, listing)
    return listing
  }

  async function knowPeople(workspace: string, readers: string): Promise<void> {
    let unsure = await unsurePeople(pool, workspace, readers, AGES.people)
    if (unsure.length === 0) return
    const from = demand(roster)
    if (unsure.length > ONE_BY_ONE) {
      const at = await list(from, workspace)
      unsure = await unsurePeople(pool, workspace, readers, AGES.people)
      return putPeople(pool, workspace, at, new Map(unsure.map((id) => [id, 'external'])))
    }
    const still = () => unsurePeople(pool, workspace, readers, AGES.people)
    await askTogether(asking, `${workspace} person`, still, (fresh) => readPeople(from, workspace, fresh))
  }

  /** Keeps what Slack tells of people, one by one. @throws Fault */
  async function readPeople(from: Roster, workspace: string, ids: readonly string[]): Promise<void> {
    const at = await momentOf(pool)
    const kinds = await Promise.all(
      ids.map(async (id): Promise<[string, Kind]> => [id, await from.person(id)]),
    )
    await putPeople(pool, workspace, at, new Map(kinds))
  }

  async function inTime(work: Promise<void>, about: object): Promise<boolean> {
    const done = work.then(
      () => true,
      (error: unknown) => {
        log?.('warn', 'Slack does not tell who reads what; that is left out', {
          ...about,
          why: String(error),
        })
        return false
      },
    )
    return Promise.race([done, sleep(PATIENCE_MS, false, { ref: false })])
  }

  return {
    meet: async (workspace, readers) => {
      const known = async () => {
        if (/^(channel|group):/.test(readers)) await know(workspace, [readers], AGES.readers)
        await knowPeople(workspace, readers)
      }
      const caughtUp = async () => {
        if (!roster) return
        const due = await claimDueScopes(pool, workspace, CAUGHT_UP)
        const scopes = due.filter((scope) => scope !== readers)
        await Promise.all(scopes.map((scope) => read(roster, workspace, scope)))
        // Afterwards: where many readers are unknown the whole workspace is listed, and nobody is left to ask about.
        await met
        await readPeople(roster, workspace, await doubtedPeople(pool, workspace, CAUGHT_UP))
      }
      const met = inTime(known(), { readers })
      await inTime(caughtUp(), { readers })
      return (await met) ? undefined : UNTOLD
    },
    outside: async (workspace, readers) => {
      const ages = { scope: AGES.readers, people: AGES.people }
      const known = async () => {
        const told = await hasOutsiders(pool, workspace, readers, ages)
        if (told !== undefined) return told
        if (readers.startsWith('user:')) await knowPeople(workspace, readers)
        else await know(workspace, [readers], AGES.readers)
        return (await hasOutsiders(pool, workspace, readers, ages)) ?? true
      }
      let outside = true
      const asked = async () => {
        outside = await known()
      }
      await inTime(asked(), { readers })
      return outside
    },
    readable: async (workspace, readers) => {
      const known = await readableAudiences(pool, workspace, readers, { ...AGES, audiences: undefined })
      const aged = await agedAudiences(pool, known, AGES.audiences)
      if (aged.length === 0) return { known, sure: known }
      const still = await readableAudiences(pool, workspace, readers, AGES, aged)
      const doubtful = new Set(aged.filter((id) => !still.includes(id)))
      return { known, sure: known.filter((id) => !doubtful.has(id)) }
    },
    check: async (workspace, audiences) =>
      inTime(know(workspace, await namedScopes(pool, audiences), AGES.audiences), { audiences }),
    keep: async (workspace) => {
      if (!roster) return
      const due = await claimDueScopes(pool, workspace, KEPT_AT_ONCE, KEPT_MS)
      for (const scope of due)
        await (scope === 'everyone' ? list(roster, workspace) : read(roster, workspace, scope))
      if (due.length > 0) await refreshMemberStatistics(pool)
    },
  }
}

/** What Slack is being asked for, by name. */
type Asking = Map<string, Promise<void>>

/**
 * Asks for what is unsure, but not for what somebody else is asking for just now: that is waited for and looked at
 * again, since doubt may have been cast on it meanwhile.
 */
async function askTogether(
  asking: Asking,
  kind: string,
  unsure: () => Promise<string[]>,
  ask: (fresh: string[]) => Promise<void>,
): Promise<void> {
  for (let turn = 0; ; turn++) {
    const needed = await unsure()
    const fresh = turn < 3 ? needed.filter((one) => !asking.has(`${kind} ${one}`)) : needed
    const others = new Set(needed.flatMap((one) => (turn < 3 && asking.get(`${kind} ${one}`)) || []))
    const mine = fresh.length > 0 ? ask(fresh) : Promise.resolve()
    const keys = fresh.map((one) => `${kind} ${one}`)
    for (const key of keys) asking.set(key, mine)
    const forget = () => {
      for (const key of keys) if (asking.get(key) === mine) asking.delete(key)
    }
    mine.then(forget, forget)
    await Promise.all([mine, ...others])
    if (others.size === 0) return
  }
}

async function listAll(pool: pg.Pool, roster: Roster, workspace: string): Promise<string> {
  const at = await beginReading(pool, workspace, 'everyone')
  for await (const page of roster.everyone()) await putPeople(pool, workspace, at, page)
  await endListing(pool, workspace, at)
  await refreshMemberStatistics(pool)
  return at
}

function demand(roster: Roster | undefined): Roster {
  if (!roster) throw new Error('there is no Slack to ask')
  return roster
}
