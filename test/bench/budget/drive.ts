/** Callers on one row for a while; as a process of its own: `node drive.ts URL updates|pairs CALLERS SECONDS WORKSPACE`. */
import { randomUUID } from 'node:crypto'
import { openLedger } from '../../../src/store/ledger.ts'
import { openStore, type Store } from '../../../src/store/open.ts'
import { limitsOf, spendAtOnce } from '../../support/spending.ts'

export type Driven = { perSecond: number; times: number[] }

const LOTS = 1_000_000_000_000

export async function drive(
  store: Pick<Store, 'pool'>,
  mode: 'updates' | 'pairs',
  { callers, seconds, workspace = randomUUID() }: { callers: number; seconds: number; workspace?: string },
): Promise<Driven> {
  const begun = performance.now()
  const times: number[] = []
  const done =
    mode === 'updates'
      ? await update(store, workspace, callers, seconds)
      : await spend(store, { workspace, callers, ms: seconds * 1_000, onPair: (ms) => times.push(ms) })
  return { perSecond: (done * 1_000) / (performance.now() - begun), times }
}

/** What the database can do at most for a caller who wants to change one row. */
async function update({ pool }: Pick<Store, 'pool'>, row: string, callers: number, seconds: number) {
  await pool.query('create table if not exists bare (id text primary key, n int8 not null)').catch(() => {})
  await pool.query('insert into bare values ($1, 0) on conflict do nothing', [row])
  const end = performance.now() + seconds * 1_000
  let updates = 0
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < end) {
        await pool.query('update bare set n = n + 1 where id = $1', [row])
        updates += 1
      }
    }),
  )
  return updates
}

async function spend(
  { pool }: Pick<Store, 'pool'>,
  options: { workspace: string; callers: number; ms: number; onPair: (ms: number) => void },
): Promise<number> {
  await using ledger = openLedger(pool, { patienceMs: 60_000 })
  return (await spendAtOnce(ledger, { ...options, limits: limitsOf(LOTS) })).pairs
}

if (process.argv[1] === import.meta.filename) {
  const [url, mode, callers, seconds, workspace = ''] = process.argv.slice(2)
  const store = await openStore({ databaseUrl: url, dataDir: '' })
  const options = { callers: Number(callers), seconds: Number(seconds), workspace }
  process.stdout.write(JSON.stringify(await drive(store, mode === 'updates' ? 'updates' : 'pairs', options)))
  await store.close()
}
