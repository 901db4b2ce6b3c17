/** A migrated database of one's own, on the embedded engine or on the server of TEST_DATABASE_URL. */
import { createHash, randomUUID } from 'node:crypto'
import { cpSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { openEmbedded } from '../../src/store/embedded.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openStore, type Store } from '../../src/store/open.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A store with every migration applied that nobody else sees; closing it removes it. */
export async function openTestStore(): Promise<Store> {
  const server = process.env.TEST_DATABASE_URL
  if (server) {
    const { url, drop } = await createDatabase(server)
    return closingWith(await openStore({ databaseUrl: url, dataDir: '' }), drop)
  }
  const { dir, remove } = await copyTemplate()
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
  const close = async () => {
    await store.close()
    await after()
  }
  return { ...store, close, [Symbol.asyncDispose]: close }
}

/** What a template depends on: the migrations and the engine. */
async function templateKey(): Promise<string> {
  const hash = createHash('sha256')
  const dir = path.join(root, 'migrations')
  for (const name of (await readdir(dir)).sort())
    hash.update(name).update(await readFile(path.join(dir, name)))
  const { dependencies } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'))
  const engine = Object.entries(dependencies).filter(([name]) => name.startsWith('@electric-sql/'))
  hash.update(JSON.stringify(engine))
  return hash.digest('hex').slice(0, 16)
}

/** A data directory with a migrated embedded database that nobody has open. */
export async function copyTemplate(): Promise<{ dir: string; remove(): Promise<void> }> {
  const template = await buildTemplate()
  const dir = await mkdtemp(path.join(tmpdir(), 'quorum-store-'))
  // Twice as fast as its asynchronous sibling.
  cpSync(template, dir, { recursive: true })
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) }
}

/** Made once per machine and state of the migrations; whoever is first to rename wins, the others use it. */
async function buildTemplate(): Promise<string> {
  const shelf = path.join(tmpdir(), `quorum-templates-${process.getuid?.() ?? ''}`)
  await mkdir(shelf, { recursive: true, mode: 0o700 })
  const place = path.join(shelf, await templateKey())
  if (await stat(place).catch(() => undefined)) return place
  const draft = await mkdtemp(`${place}-`)
  const store = await openStore({ dataDir: draft })
  await migrate(store.pool)
  await store.close()
  await rename(draft, place).catch(() => rm(draft, { recursive: true, force: true }))
  return place
}

async function createDatabase(server: string): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `quorum_${randomUUID().replaceAll('-', '')}`
  const admin = async (sql: string) => {
    const client = new pg.Client({ connectionString: server })
    await client.connect()
    await client.query(sql).finally(() => client.end())
  }
  await admin(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  const store = await openStore({ databaseUrl: url.href, dataDir: '' })
  await migrate(store.pool)
  await store.close()
  return { url: url.href, drop: () => admin(`drop database ${name} with (force)`) }
}
