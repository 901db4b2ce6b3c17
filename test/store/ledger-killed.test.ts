/** Processes that hold tokens and are killed: nothing is overdrawn, nothing is lost, nothing stays held. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openLedger } from '../../src/store/ledger.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import { auditOf } from '../support/spending.ts'
import { until } from '../support/stage.ts'
import { openTestDatabaseServer } from '../support/store.ts'

const spender = fileURLToPath(import.meta.resolve('../support/workers/spender.ts'))

let server: Awaited<ReturnType<typeof openTestDatabaseServer>>
let store: Store
const children: ChildProcess[] = []
beforeAll(async () => {
  server = await openTestDatabaseServer()
  store = await openStore({ databaseUrl: server.url, dataDir: '', connections: 2 })
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await store.close()
  await server.close()
})

async function start(...args: (string | number)[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, [spender, server.url, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return child
}

test('killed with holds open, by a right and by a wrong clock: 0 overdrawn, 0 drift after the sweep', async () => {
  const workspace = randomUUID()
  const allowed = 40_000
  await using ledger = openLedger(store.pool)
  for (const skew of [0, -36 * 3_600_000, 40 * 24 * 3_600_000]) {
    const child = await start(workspace, allowed, 30, 400, skew)
    await until(async () => (await auditOf(store.pool, workspace)).open >= 20, 60_000)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { used, held } = await auditOf(store.pool, workspace)
    expect(used + held).toBeLessThanOrEqual(allowed)
  }
  // While a process may still be alive nothing of it is touched; then everything is, by whoever looks first.
  await until(async () => {
    await Promise.all([ledger.sweep(), ledger.sweep()])
    return (await auditOf(store.pool, workspace)).open === 0
  }, 60_000)
  const audit = await auditOf(store.pool, workspace)
  // Two windows, whatever the clocks said.
  expect(audit).toMatchObject({ drift: 0, held: 0, open: 0, windows: 2 })
  expect(audit.used).toBeGreaterThan(0)
  expect(audit.used).toBeLessThanOrEqual(allowed)
}, 240_000)

test('two processes use up one budget to the last token that fits, and not one more', async () => {
  const workspace = randomUUID()
  const allowed = 3_000
  const ended = await Promise.all(
    [1, 2].map(async () => {
      const child = await start(workspace, allowed, 40, 5)
      const [code] = await once(child, 'exit')
      return code
    }),
  )
  expect(ended).toEqual([0, 0])
  const audit = await auditOf(store.pool, workspace)
  expect(audit).toMatchObject({ drift: 0, held: 0, open: 0 })
  expect(audit.used).toBeLessThanOrEqual(allowed)
  expect(audit.used).toBeGreaterThan(allowed - 41)
}, 120_000)
