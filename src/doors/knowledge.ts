/** Opening what `quorum ingest`, `search`, `sources` and `forget` need: the store, the embeddings, the workspace. */
import path from 'node:path'
import { openRights } from '../agent/knowledge/rights.ts'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import { readHome } from '../home/read.ts'
import type { Embedder } from '../models/embed.ts'
import type { Speaker } from '../slack/speak.ts'
import { listWorkspaces } from '../store/documents.ts'
import { openLedger } from '../store/ledger.ts'
import { migrate } from '../store/migrate.ts'
import { openStore, type Store } from '../store/open.ts'
import { prepareSearch } from '../store/words.ts'
import { openLog } from '../telemetry/log.ts'
import { openPaidEmbedder } from './embedder.ts'
import { readEnv } from './environment.ts'
import { forgetDoor } from './forget.ts'
import { ingestDoor } from './ingest.ts'
import { print, showOver } from './print.ts'
import { openRecalling } from './recalling.ts'
import { searchDoor } from './search.ts'
import { sourcesDoor } from './sources.ts'
import { openSpeakerFor } from './speaker.ts'
import { untilAsked } from './until.ts'
import { webFetch } from './web.ts'

export async function openIngest(args: string[]): Promise<number> {
  return withKnowledge(async ({ env, store, embedder, workspace }) => {
    const home = await readHome(env.QUORUM_HOME, process.env)
    const stop = new AbortController()
    void untilAsked().then(() => stop.abort())
    const show = process.stdout.isTTY ? showOver : undefined
    const context = {
      pool: store.pool,
      embedder,
      home: home.dir,
      git: { place: path.join(env.QUORUM_DATA, 'checkouts'), env: process.env },
      workspace,
      sources: home.sources,
      web: webFetch,
      print,
      show,
    }
    return ingestDoor(args, { ...context, signal: stop.signal })
  })
}

export async function openForget(args: string[]): Promise<number> {
  return withKnowledge(({ store, workspace }) => forgetDoor(args, { store, workspace, print }))
}

export async function openSearch(args: string[]): Promise<number> {
  return withKnowledge(async ({ recalling, workspace }) =>
    searchDoor(args, { ...recalling, workspace, print, patienceMs: 20_000 }),
  )
}

export async function openSources(args: string[]): Promise<number> {
  return withKnowledge(async ({ env, store, workspace }) => {
    const home = await readHome(env.QUORUM_HOME, process.env)
    return sourcesDoor(args, { pool: store.pool, workspace, sources: home.sources, print })
  })
}

type Knowledge = {
  env: Env
  store: Store
  embedder: Embedder
  workspace: string
  recalling: ReturnType<typeof openRecalling>
}

async function withKnowledge(work: (knowledge: Knowledge) => Promise<number>): Promise<number> {
  const env = readEnv()
  const { logger } = openLog(env.LOG_LEVEL === 'info' ? 'warn' : env.LOG_LEVEL)
  const home = await readHome(env.QUORUM_HOME, process.env)
  await using store = await openStore({
    databaseUrl: env.DATABASE_URL,
    dataDir: env.QUORUM_DATA,
    log: logger,
  })
  await migrate(store.pool)
  const strategy = await prepareSearch(store.pool)
  await using speaker = await openSpeakerFor(env, store)
  const workspace = await findWorkspace(speaker, store)
  const rights = openRights({ pool: store.pool, roster: speaker?.speak.roster })
  await using ledger = openLedger(store.pool)
  const embedder = openPaidEmbedder(home, ledger)
  try {
    const recalling = openRecalling({ store, home, embedder, strategy }, rights)
    return await work({ env, store, embedder, workspace, recalling })
  } finally {
    await embedder.close()
  }
}

/** Knowledge that was read before any workspace was connected; `start` reads it again for the workspace. */
const NOBODYS = 'local'

/** The workspace knowledge belongs to: the token's, else the only one that has any, else nobody's. */
export async function findWorkspace(
  speaker: Speaker | undefined,
  store: Pick<Store, 'pool'>,
): Promise<string> {
  if (speaker) return speaker.identity.workspace
  const [only = NOBODYS, ...more] = await listWorkspaces(store.pool)
  if (more.length === 0) return only
  throw new Fault(
    'config-invalid',
    'Set SLACK_BOT_TOKEN or QUORUM_WORKSPACE, so that I know whose knowledge this is.',
  )
}
