/** `quorum pool status | drain | undrain`: the model servers, as this process reaches them, and which get no new calls. */
import { Fault } from '../core/fault.ts'
import { type Pool, type ReplicaAt, replicasOf, tierOf } from '../core/pools.ts'
import { readHome } from '../home/read.ts'
import { openChat } from '../models/chat.ts'
import { readMetrics } from '../models/metrics.ts'
import { drain, readDrains, undrain } from '../store/drains.ts'
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/open.ts'
import { readEnv } from './environment.ts'
import { choosePools } from './models.ts'
import { print } from './print.ts'

const USAGE = 'quorum pool status | drain POOL|ADDRESS… | undrain POOL|ADDRESS…'
const PAGE_MS = 2_000

/** Prints the state of every replica, or changes which are drained. Answers the exit code. */
export async function poolDoor([verb = 'status', ...names]: string[]): Promise<number> {
  const changes = { drain, undrain }
  const change = Object.hasOwn(changes, verb) ? changes[verb as keyof typeof changes] : undefined
  if ((verb !== 'status' && !change) || (change ? names.length === 0 : names.length > 0)) {
    process.stderr.write(`Usage: ${USAGE}\n`)
    return 2
  }
  const env = readEnv()
  const home = await readHome(env.QUORUM_HOME, process.env)
  const { pools } = await choosePools(home)
  const urls = names.flatMap((name) => replicasNamed(pools, name))
  await using store = await openStore({ databaseUrl: env.DATABASE_URL, dataDir: env.QUORUM_DATA })
  await migrate(store.pool)
  await change?.(store.pool, urls)
  const drained = await readDrains(store.pool)
  for (const [name, pool] of Object.entries(pools)) {
    print(`${name}: ${pool.model} (${tierOf(pool)})`)
    const lines = replicasOf(pool).map((at) => describe(pool, at, drained.get(at.url)))
    for (const line of await Promise.all(lines)) print(`  ${line}`)
  }
  if (change)
    print('\nProcesses that run follow within two seconds; what a drained server is doing it finishes.')
  return 0
}

/** The addresses that a name means: all of a pool, or the one. */
function replicasNamed(pools: Record<string, Pool>, name: string): string[] {
  const pool = Object.hasOwn(pools, name) ? pools[name] : undefined
  if (pool) return replicasOf(pool).map(({ url }) => url)
  const all = Object.values(pools).flatMap((one) => replicasOf(one).map(({ url }) => url))
  if (all.includes(name)) return [name]
  const known = [...Object.keys(pools), ...all].join(', ')
  throw new Fault('config-invalid', `There is no pool and no replica ${name}. Known are: ${known}`)
}

async function describe(pool: Pool, at: ReplicaAt, drainedSince: Date | undefined): Promise<string> {
  const chat = openChat(pool, process.env, undefined, at)
  const local = tierOf(pool) === 'local'
  const [probed, page] = await Promise.all([
    chat.probe(),
    local ? chat.get('/metrics', PAGE_MS).catch(() => undefined) : undefined,
  ])
  const said = [
    probed.ok ? 'up' : `down: ${probed.why}`,
    probed.ok && probed.models.length > 0 && !probed.models.includes(pool.model) ? 'lists other models' : '',
    drainedSince ? `drained since ${drainedSince.toISOString().slice(0, 16).replace('T', ' ')}` : '',
    page?.status === 200 ? tellMetrics(page.text) : '',
  ]
  return `${at.url.padEnd(36)} ${said.filter((one) => one !== '').join(', ')}`
}

function tellMetrics(page: string): string {
  const metrics = readMetrics(page)
  if (!metrics) return ''
  const { running, waiting, kv, asleep } = metrics
  const said = [
    asleep ? 'asleep' : '',
    running === undefined ? '' : `${running} running`,
    waiting === undefined ? '' : `${waiting} waiting`,
    kv === undefined ? '' : `cache ${Math.round(kv * 100)} % in use`,
  ]
  return said.filter((one) => one !== '').join(', ')
}
