/** A migrated database of one's own, on the embedded engine or on the server of TEST_DATABASE_URL. */
import { createHash, randomUUID } from 'node:crypto'
import { cpSync, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { openEmbedded } from '../../src/store/embedded.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openStore, type Store } from '../../src/store/open.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * A store that nobody else sees, with every migration applied, or without any table where `empty` is set.
 * Closing it removes it.
 */
export async function openTestStore(options: { empty?: boolean } = {}): Promise<Store> {
  const server = process.env.TEST_DATABASE_URL
  if (server) {
    const { url, drop } = await createDatabase(server, options.empty)
    return closingWith(await openStore({ databaseUrl: url, dataDir: '' }), drop)
  }
  const { dir, remove } = await copyTemplate(options)
  return closingWith(await openStore({ dataDir: dir }), remove)
}

/** A migrated database that several processes can use at once by its URL; closing it removes it. */
export async function openTestDatabaseServer(): Promise<
  AsyncDisposable & { url: string; close(): Promise<void> }
> {
  const server = process.env.TEST_DATABASE_URL
  if (server) {
    const { url, drop } = await createDatabase(server)
    return { url, close: drop, [Symbol.asyncDispose]: drop }
  }
  const { dir, remove } = await copyTemplate()
  const embedded = await openEmbedded({ dir: path.join(dir, 'store'), tcp: true })
  const close = async () => {
    await embedded.close()
    await remove()
  }
  const url = `postgres://postgres@${embedded.host}:${embedded.port}/postgres`
  return { url, close, [Symbol.asyncDispose]: close }
}

function closingWith(store: Store, after: () => Promise<void>): Store {
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= store.close().then(after)
    return closing
  }
  return { ...store, close, [Symbol.asyncDispose]: close }
}

/** A data directory with a migrated (or empty) embedded database that nobody has open. */
export async function copyTemplate(
  options: { empty?: boolean } = {},
): Promise<{ dir: string; remove(): Promise<void> }> {
  const template = await findTemplate(options.empty ?? false)
  const dir = await mkdtemp(path.join(tmpdir(), 'quorum-store-'))
  copy(template, dir)
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) }
}

/** Twice as fast as its asynchronous sibling. */
const copy = (from: string, to: string) => cpSync(from, to, { recursive: true })

/** Templates are made once per machine: an empty one per engine, and a migrated one per state of the migrations. */
async function findTemplate(empty: boolean): Promise<string> {
  const shelf = path.join(tmpdir(), `quorum-templates-${process.getuid?.() ?? ''}`)
  await mkdir(shelf, { recursive: true, mode: 0o700 })
  const { dependencies } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'))
  const engine = Object.entries(dependencies).filter(([name]) => name.startsWith('@electric-sql/'))
  const bare = path.join(shelf, `empty-${digest([JSON.stringify(engine)])}`)
  if (empty) return build(bare, async () => {})
  const dir = path.join(root, 'migrations')
  const names = (await readdir(dir)).sort()
  const texts = await Promise.all(names.map((name) => readFile(path.join(dir, name), 'utf8')))
  const migrated = path.join(shelf, `migrated-${digest([bare, ...names, ...texts])}`)
  if (existsSync(migrated)) return migrated
  const start = await findTemplate(true)
  return build(migrated, async (draft) => copy(start, draft))
}

const digest = (parts: string[]) => createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16)

/** Builds the template unless it is there; the processes that want it take turns, so it is built once. */
async function build(place: string, prepare: (draft: string) => Promise<void>): Promise<string> {
  if (existsSync(place)) return place
  const turn = new DatabaseSync(`${place}.turn`, { timeout: 120_000 })
  turn.exec('begin exclusive')
  try {
    if (existsSync(place)) return place
    const draft = await mkdtemp(`${place}-`)
    await prepare(draft)
    await using store = await openStore({ dataDir: draft })
    if (path.basename(place).startsWith('migrated')) await migrate(store.pool)
    await store.close()
    await rename(draft, place)
    return place
  } finally {
    turn.close()
  }
}

async function createDatabase(
  server: string,
  empty = false,
): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `quorum_${randomUUID().replaceAll('-', '')}`
  const admin = async (sql: string) => {
    const client = new pg.Client({ connectionString: server })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await admin(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  if (!empty) {
    await using store = await openStore({ databaseUrl: url.href, dataDir: '' })
    await migrate(store.pool)
  }
  return { url: url.href, drop: () => admin(`drop database ${name} with (force)`) }
}
