/** The pools of a deployment, opened: their replicas, and the one way to ask each. */
import type { CloudPermit } from '../core/permit.ts'
import { type Pool, replicasOf, tierOf } from '../core/pools.ts'
import type { Chat } from './chat.ts'
import type { Log, Names } from './endpoint.ts'
import { openReplica, type Replica } from './replica.ts'
import { type Counter, openCounter } from './tokens.ts'

/** A pool that may be asked just now. */
export type Serving = {
  name: string
  pool: Pool
  tier: 'local' | 'cloud'
  replicas: readonly Replica[]
  counter: Counter
  ask: (replica: Replica, ...args: Parameters<Chat['ask']>) => ReturnType<Chat['ask']>
}

type Known = Pick<Serving, 'name' | 'pool' | 'replicas' | 'counter'>

/** A pool. One in the cloud can be asked only through a permit. */
export type OpenPool =
  | (Known & { tier: 'local'; serving: Serving })
  | (Known & { tier: 'cloud'; enter: (permit: CloudPermit) => Serving })

/** Tokens that every server of a pool can read and write in one call, as far as that is known. */
export function contextOf({ pool, replicas }: Pick<Known, 'pool' | 'replicas'>): number | undefined {
  const told = replicas.flatMap(({ contextTokens }) => contextTokens ?? [])
  return pool.contextTokens ?? (told.length > 0 ? Math.min(...told) : undefined)
}

/**
 * Opens a pool. Nothing is sent.
 *
 * @throws Fault `config-invalid` when a variable the pool names is not set
 */
export function openPool(name: string, pool: Pool, env: Names, log: Log): OpenPool {
  const opened = replicasOf(pool).map((at) => openReplica(pool, at, env, log))
  const asks = new Map(opened.map(({ replica, ask }) => [replica, ask]))
  const known: Known = {
    name,
    pool,
    replicas: opened.map(({ replica }) => replica),
    counter: openCounter(pool.model),
  }
  const ask: Serving['ask'] = (replica, ...args) => {
    const own = asks.get(replica)
    if (!own) throw new Error(`${replica.url} is not of the pool ${name}`)
    return own(...args)
  }
  if (tierOf(pool) === 'local') return { ...known, tier: 'local', serving: { ...known, tier: 'local', ask } }
  return { ...known, tier: 'cloud', enter: (_permit) => ({ ...known, tier: 'cloud', ask }) }
}
