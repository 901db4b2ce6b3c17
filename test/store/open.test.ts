import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rename, stat } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openStore } from '../../src/store/open.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { openWire } from '../support/queue.ts'
import { copyTemplate, openTestDatabaseServer, openTestStore } from '../support/store.ts'

const script = fileURLToPath(new URL('./embedded-owner.ts', import.meta.url))

beforeAll(async () => {
  // May have to build it first, which takes longer than a test may.
  for (const empty of [true, false]) await (await copyTemplate({ empty })).remove()
}, 120_000)

test('int8 is a number, and one that a number cannot hold is an error', async () => {
  await using store = await openTestStore({ empty: true })
  const { rows } = await store.pool.query('select count(*) as n, $1::int8 as large from pg_class', [
    2 ** 53 - 1,
  ])
  expect(rows[0].n).toBeTypeOf('number')
  expect(rows[0].large).toBe(2 ** 53 - 1)
  await expect(store.pool.query('select 9007199254740993')).rejects.toThrow(/does not fit/)
  expect((await store.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
})

test('closing twice is closing once', async () => {
  const store = await openTestStore({ empty: true })
  await Promise.all([store.close(), store.close()])
})

test('closing does not wait for work that never ends', async () => {
  const store = await openTestStore({ empty: true })
  const open = Promise.withResolvers<void>()
  void inTransaction(store.pool, async (tx) => {
    await tx.query('create table notes (word text)')
    open.resolve()
    await new Promise(() => {})
  })
  await open.promise
  await store.close()
})

describe('the embedded database', () => {
  let files: Awaited<ReturnType<typeof copyTemplate>>
  const children: ChildProcess[] = []

  beforeEach(async () => {
    files = await copyTemplate()
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await files.remove()
  })

  /** A process that opens the directory, writes `rows` rows, says so, and stays. */
  async function startOwner(rows: number): Promise<ChildProcess> {
    const child = spawn(process.execPath, [script, files.dir, String(rows)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(child)
    const [said] = await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
    expect(String(said)).toBe('ready\n')
    return child
  }

  test('keeps what was written, and has the extensions', async () => {
    {
      await using store = await openStore({ dataDir: files.dir })
      expect(store.kind).toBe('embedded')
      await store.pool.query('create table notes (word text)')
      await store.pool.query("insert into notes values ('kept')")
    }
    await using store = await openStore({ dataDir: files.dir })
    expect((await store.pool.query('select word from notes')).rows).toEqual([{ word: 'kept' }])
    const { rows } = await store.pool.query('select extname from pg_extension')
    expect(rows.map((row) => row.extname)).toContain('vector')
    await store.pool.query('create extension if not exists pg_textsearch')
  })

  test('a second opener is told who has the directory, in this process and from another', async () => {
    const owner = await startOwner(0)
    const second = openStore({ dataDir: files.dir })
    await expect(second).rejects.toMatchObject({
      code: 'store-locked',
      message: expect.stringContaining(`process ${owner.pid}`),
    })
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    await using store = await openStore({ dataDir: files.dir })
    await expect(openStore({ dataDir: files.dir })).rejects.toMatchObject({ code: 'store-locked' })
    expect((await store.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  test('what was acknowledged survives SIGKILL, and the directory opens again at once', async () => {
    const owner = await startOwner(200)
    owner.kill('SIGKILL')
    await once(owner, 'exit')
    await using store = await openStore({ dataDir: files.dir })
    expect((await store.pool.query('select count(*) as n from written')).rows).toEqual([{ n: 200 }])
  })

  test('only this user can reach the socket', async () => {
    await using _store = await openStore({ dataDir: files.dir })
    const { mode } = await stat(path.join(files.dir, 'store'))
    expect(mode & 0o077).toBe(0)
  })

  test('a directory whose path is too long for a socket opens all the same', async () => {
    const deep = path.join(files.dir, 'a'.repeat(60), 'b'.repeat(60))
    await mkdir(deep, { recursive: true })
    await rename(path.join(files.dir, 'store'), path.join(deep, 'store'))
    await using store = await openStore({ dataDir: deep })
    expect((await store.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(await readdir(path.join(deep, 'store'))).not.toContain('.s.PGSQL.5432')
  })

  test('a long query does not block this process', async () => {
    await using store = await openStore({ dataDir: files.dir })
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    const begun = performance.now()
    await store.pool.query('select count(*) from generate_series(1, 3000000) n where n % 7 = 3')
    delay.disable()
    expect(delay.max / 1e6).toBeLessThan((performance.now() - begun) / 2)
  })

  test('an engine that breaks is started again, and loses nothing committed', async () => {
    const said: string[] = []
    const note = (_about: object, message: string) => void said.push(message)
    await using store = await openStore({ dataDir: files.dir, log: { info: note, warn: note, error: note } })
    await store.pool.query('create table notes (word text)')
    await store.pool.query("insert into notes values ('kept')")
    // The engine has no shell, and throws in the middle of this.
    await expect(store.pool.query("copy (select 1) to program 'true'")).rejects.toThrow(/terminated/)
    await expect
      .poll(() => store.pool.query('select word from notes').then((r) => r.rows, String), { timeout: 20_000 })
      .toEqual([{ word: 'kept' }])
    expect(said).toContain('the embedded database broke and is started again')
    await inTransaction(store.pool, (tx) => tx.query("insert into notes values ('more')"))
  })
})

describe('a server', () => {
  test('that does not listen is waited for, and then named without its password', async () => {
    const port = await freePort()
    const said: string[] = []
    const note = (_about: object, message: string) => void said.push(message)
    const opening = openStore({
      databaseUrl: `postgres://ada:geheim@127.0.0.1:${port}/quorum`,
      dataDir: '',
      patienceMs: 300,
      log: { info: note, warn: note, error: note },
    })
    const error = await opening.then(
      () => undefined,
      (caught) => caught,
    )
    expect(error).toMatchObject({ code: 'store-unreachable', retry: true })
    expect(error.message).toContain(`the database "quorum" at 127.0.0.1:${port}`)
    expect(said.join()).toContain('waiting for the database "quorum"')
    expect(inspect(error, { depth: 9 }) + said.join()).not.toContain('geheim')
  })

  test('that takes the connection and says nothing is not waited for forever', async () => {
    const silent = net.createServer((socket) => socket.on('error', () => {}))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as net.AddressInfo
    const opening = openStore({ databaseUrl: `postgres://127.0.0.1:${port}/x`, dataDir: '', patienceMs: 300 })
    await expect(opening).rejects.toMatchObject({ code: 'store-unreachable' })
    silent.close()
  })

  test('that goes away and comes back is said once each, whatever was under way', async () => {
    await using server = await openTestDatabaseServer()
    await using wire = await openWire(server.url)
    const said: string[] = []
    const note = (about: object, message: string) => void said.push(`${message} ${JSON.stringify(about)}`)
    const log = { info: note, warn: note, error: note }
    await using store = await openStore({ databaseUrl: wire.url, dataDir: '', log })
    const ask = () => store.pool.query('select 1 as one')
    await Promise.all([ask(), ask(), ask()])
    const open = Promise.withResolvers<void>()
    const under = inTransaction(store.pool, async (tx) => {
      open.resolve()
      await tx.query('select pg_sleep(20)')
    }).then(() => 'done', String)
    await open.promise
    for (let outage = 1; outage <= 2; outage++) {
      await wire.cut()
      await expect(ask()).rejects.toThrow()
      await expect(ask()).rejects.toThrow()
      expect(await under).toMatch(/terminated|ECONNRESET/)
      await wire.mend()
      await Promise.all([ask(), ask(), ask()])
      expect(said).toEqual([
        ...Array.from({ length: outage }, () => [/ is away; .*"reason":"[^"]+"}$/, / is back \{\}$/])
          .flat()
          .map((words) => expect.stringMatching(words)),
      ])
    }
  })

  test('whose address makes no sense is refused at once, without repeating it', async () => {
    const opening = openStore({ databaseUrl: 'postgres//ada:geheim@db/quorum', dataDir: '' })
    const error = await opening.then(
      () => undefined,
      (caught) => caught,
    )
    expect(error).toMatchObject({ code: 'store-unreachable', retry: false })
    expect(inspect(error, { depth: 9 })).not.toContain('geheim')
  })
})

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
