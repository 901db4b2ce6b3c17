import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Embedded, openEmbedded } from '../../src/store/embedded.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { copyTemplate } from '../support/store.ts'

const script = fileURLToPath(new URL('./embedded-client.ts', import.meta.url))

let files: Awaited<ReturnType<typeof copyTemplate>>
let embedded: Embedded
let url: string
let pool: pg.Pool

beforeAll(async () => {
  files = await copyTemplate()
  embedded = await openEmbedded({ dir: path.join(files.dir, 'store'), tcp: true })
  url = `postgres://postgres@${embedded.host}:${embedded.port}/postgres`
  pool = new pg.Pool({ connectionString: url, max: 4 })
  await pool.query('create table counter (id int primary key, n int not null)')
  await pool.query('create table counted (word text primary key)')
})

afterAll(async () => {
  await pool.end()
  await embedded.close()
  await files.remove()
})

beforeEach(async () => {
  await pool.query('truncate counter, counted')
  await pool.query('insert into counter values (1, 0)')
})

function start(what: 'count' | 'hang', number: number): ChildProcess {
  const child = spawn(process.execPath, [script, url, what, String(number)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return child
}

async function readCount(): Promise<number> {
  const { rows } = await pool.query<{ n: number }>('select n from counter where id = 1')
  return rows[0]?.n ?? -1
}

describe('several clients of the embedded database', () => {
  test('three processes with two connections each keep their transactions apart', async () => {
    const children = [start('count', 100), start('count', 100), start('count', 100)]
    const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]))
    expect(codes).toEqual([0, 0, 0])
    expect(await readCount()).toBe(300)
    const { rows } = await pool.query('select count(*)::int as n from counted')
    expect(rows[0].n).toBe(300)
  })

  test('a client killed in a transaction is rolled back, and those who waited go on', async () => {
    const child = start('hang', 1000)
    await once(child.stdout as NonNullable<typeof child.stdout>, 'data')
    let answered = false
    const waiting = [readCount(), readCount()].map((count) => count.finally(() => (answered = true)))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(answered).toBe(false)
    child.kill('SIGKILL')
    expect(await Promise.all(waiting)).toEqual([0, 0])
  })

  test.each([
    ['after a statement it did not sync', ['update counter set n = 77 where id = 1']],
    ['after an error it did not sync', ['update counter set n = 77 where id = 1', 'select nonsense']],
    ['in a transaction', ['begin', 'update counter set n = 77 where id = 1']],
    ['in a failed transaction', ['begin', 'update counter set n = 77 where id = 1', 'select nonsense']],
  ])('a client that vanishes %s leaves nothing behind', async (_when, statements) => {
    const socket = await greeted()
    const batch = statements.flatMap((sql) => [
      message('P', `\0${sql}\0\0\0`),
      message('B', '\0\0\0\0\0\0\0\0'),
      message('E', '\0\0\0\0\0'),
    ])
    socket.write(Buffer.concat([...batch, message('H', '')]))
    await once(socket, 'data')
    socket.destroy()
    expect(await readCount()).toBe(0)
  })

  test('an error in a batch is told to the one who made it, and the next batch is clean', async () => {
    const asked = Array.from({ length: 40 }, (_, at) =>
      at % 2 ? pool.query('select $1::int as at', [at]) : pool.query('select nonsense from counter'),
    )
    const settled = await Promise.allSettled(asked)
    for (const [at, one] of settled.entries()) {
      if (at % 2) expect(one).toMatchObject({ status: 'fulfilled', value: { rows: [{ at }] } })
      else expect(one).toMatchObject({ status: 'rejected', reason: { code: '42703' } })
    }
  })

  test('a failed transaction is rolled back whole', async () => {
    const work = inTransaction(pool, async (tx) => {
      await tx.query('update counter set n = 5 where id = 1')
      await tx.query('select 1 / 0')
    })
    await expect(work).rejects.toMatchObject({ code: '22012' })
    expect(await readCount()).toBe(0)
  })

  test('large values go both ways, in pieces as the network cuts them', async () => {
    const text = 'ä'.repeat(3_000_000)
    const { rows } = await pool.query<{ text: string; size: number }>(
      'select $1 as text, length($1) as size',
      [text],
    )
    expect(rows[0]?.size).toBe(3_000_000)
    expect(rows[0]?.text).toBe(text)
  })

  test('bytes that are not the protocol end the connection, not the server', async () => {
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\0\0\0\0\0\0\0\0', '\xff\xff\xff\xff\xff\xff\xff\xff']) {
      const socket = net.connect(embedded.port, embedded.host)
      socket.on('error', () => {})
      socket.write(Buffer.from(bytes, 'latin1'))
      await once(socket, 'close')
    }
    const socket = await greeted()
    socket.write(Buffer.from('Q\0\0\0\0nonsense', 'latin1'))
    await once(socket, 'close')
    expect(await readCount()).toBe(0)
  })
})

/** A raw connection that is past the greeting. */
async function greeted(): Promise<net.Socket> {
  const socket = net.connect(embedded.port, embedded.host)
  socket.on('error', () => {})
  const startup = Buffer.from('\0\0\0\0\0\x03\0\0user\0postgres\0\0', 'latin1')
  startup.writeInt32BE(startup.length, 0)
  socket.write(startup)
  await once(socket, 'data')
  return socket
}

function message(letter: string, body: string): Buffer {
  const bytes = Buffer.from(`${letter}\0\0\0\0${body}`, 'latin1')
  bytes.writeInt32BE(bytes.length - 1, 1)
  return bytes
}
