import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { migrate, pending } from '../../src/store/migrate.ts'
import type { Store } from '../../src/store/open.ts'
import { openTestStore } from '../support/store.ts'
import { makeTemporary } from '../support/temporary.ts'

let store: Store
let files: Awaited<ReturnType<typeof makeTemporary>>
let dir: string

beforeAll(async () => {
  store = await openTestStore({ empty: true })
})
afterAll(() => store.close())

beforeEach(async () => {
  await store.pool.query('drop table if exists people, migrations')
  files = await makeTemporary()
  dir = path.join(files.dir, 'migrations')
  await mkdir(dir)
  await write('0001_people.sql', "create table people (name text); insert into people values ('Ada');")
  await write('0002_age.sql', 'alter table people add age int not null default 36')
})

afterEach(async () => {
  await files.remove()
})

const write = (name: string, sql: string) => writeFile(path.join(dir, name), sql)
const people = async () => (await store.pool.query('select * from people order by name')).rows
const fault = (message: RegExp) => ({ code: 'store-migration', message: expect.stringMatching(message) })

test('applies what is missing, in order, once', async () => {
  expect(await pending(store.pool, dir)).toEqual(['0001_people.sql', '0002_age.sql'])
  expect(await migrate(store.pool, dir)).toEqual(['0001_people.sql', '0002_age.sql'])
  expect(await people()).toEqual([{ name: 'Ada', age: 36 }])
  expect(await migrate(store.pool, dir)).toEqual([])
  await write('0003_more.sql', "insert into people values ('Bob', 7)")
  expect(await pending(store.pool, dir)).toEqual(['0003_more.sql'])
  expect(await migrate(store.pool, dir)).toEqual(['0003_more.sql'])
  expect(await people()).toHaveLength(2)
})

test('several starters at once apply each file once', async () => {
  const done = await Promise.all(Array.from({ length: 5 }, () => migrate(store.pool, dir)))
  expect(done.flat().sort()).toEqual(['0001_people.sql', '0002_age.sql'])
  expect(await people()).toHaveLength(1)
})

test('a file that fails leaves nothing of itself and everything before it', async () => {
  await write('0003_broken.sql', "insert into people values ('Eve', 1); insert into nowhere values (1);")
  await expect(migrate(store.pool, dir)).rejects.toMatchObject(fault(/0003_broken\.sql failed.*nowhere/))
  expect(await people()).toEqual([{ name: 'Ada', age: 36 }])
  expect(await pending(store.pool, dir)).toEqual(['0003_broken.sql'])
})

test('a file that ends the transaction itself is refused', async () => {
  await write('0003_commits.sql', "insert into people values ('Eve', 1); commit; select 1;")
  await expect(migrate(store.pool, dir)).rejects.toMatchObject(fault(/0003_commits\.sql.*transaction/))
})

test('a file that was edited after it was applied is named', async () => {
  await migrate(store.pool, dir)
  await write('0001_people.sql', 'create table people (name text not null)')
  await expect(migrate(store.pool, dir)).rejects.toMatchObject(fault(/0001_people\.sql was changed/))
  await expect(pending(store.pool, dir)).rejects.toMatchObject(fault(/0001_people\.sql was changed/))
})

test('a file that was applied and is gone or renamed is named', async () => {
  await migrate(store.pool, dir)
  const kept = await readFile(path.join(dir, '0002_age.sql'), 'utf8')
  await rm(path.join(dir, '0002_age.sql'))
  await expect(migrate(store.pool, dir)).rejects.toMatchObject(fault(/0002_age\.sql is applied but/))
  await write('0002_years.sql', kept)
  await expect(migrate(store.pool, dir)).rejects.toMatchObject(fault(/0002_age\.sql is applied but/))
})

test('a gap, a double number and a bad name are errors before anything is applied', async () => {
  await rename(path.join(dir, '0002_age.sql'), path.join(dir, '0003_age.sql'))
  await expect(migrate(store.pool, dir)).rejects.toMatchObject(fault(/0002 is missing/))
  await rename(path.join(dir, '0003_age.sql'), path.join(dir, '0001_age.sql'))
  await expect(migrate(store.pool, dir)).rejects.toMatchObject(fault(/0001 is there twice/))
  await rename(path.join(dir, '0001_age.sql'), path.join(dir, '2_age.sql'))
  await expect(migrate(store.pool, dir)).rejects.toMatchObject(fault(/2_age\.sql must be named/))
  const { rows } = await store.pool.query("select to_regclass('people') as found")
  expect(rows[0].found).toBeNull()
})
