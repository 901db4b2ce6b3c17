/** A deployment of several processes over servers they share, with a tool whose effects are on record. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { ToolServer } from '../../src/core/home.ts'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { caseModel, policy } from './crash-cases.ts'
import { type Fleet, openFleet } from './fleet.ts'
import { makeHome } from './home.ts'
import { openModelServer } from './model-server.ts'
import { openTestQueueServer } from './queue.ts'
import type { Random } from './random.ts'
import { openTestDatabaseServer } from './store.ts'
import { acceptAll } from './tools.ts'

export type Deployment = AsyncDisposable & {
  workspace: Workspace
  pool: pg.Pool
  fleet: Fleet
  /** The file with a line for every effect of the tool. */
  effects: string
  queueUrl: string
  team: string
}

/** A Slack that gives nothing up because the machine is busy: what is lost then would say nothing of the product. */
const PATIENT = { ackMs: 20_000, retryWaits: [0, 1_000, 2_000, 5_000, 10_000, 20_000, 20_000] }

const MORTAL = import.meta.resolve('./workers/mortal.ts')

/**
 * Starts one process for each of `posts`; ready when Slack is listened to. `orders` is the directory in which they
 * find at which points to end themselves.
 */
export async function openDeployment(
  posts: readonly (readonly string[])[],
  seed: number,
  random: Random,
  orders?: string,
): Promise<Deployment> {
  await using opened = new AsyncDisposableStack()
  const team = { id: `T${seed}`, name: 'Storm' }
  const database = opened.use(await openTestDatabaseServer())
  const queue = opened.use(await openTestQueueServer())
  const workspace = opened.use(await openWorkspace({ team, ...PATIENT }))
  const model = opened.use(await openModelServer(caseModel(seed)))
  const home = opened.use(await makeHome(await homeFiles(model.url)))
  const effects = path.join(home.dir, 'effects')
  await writeFile(effects, '')
  const pool = opened.adopt(new pg.Pool({ connectionString: database.url, max: 2 }), (it) => it.end())
  const env = {
    SLACK_BOT_TOKEN: workspace.botToken,
    SLACK_APP_TOKEN: workspace.appToken,
    SLACK_API_URL: workspace.apiUrl,
    DATABASE_URL: database.url,
    REDIS_URL: queue.url,
    QUORUM_HOME: home.dir,
    PORT: '0',
    LOG_LEVEL: process.env.CRASH_LOG ?? 'warn',
    ...(orders ? { NODE_OPTIONS: `--import ${MORTAL}`, MORTAL_ORDERS: orders, MORTAL_EFFECTS: effects } : {}),
  }
  const mortal = orders !== undefined
  const fleet = opened.use(openFleet(posts, { cwd: home.dir, env, random, mortal }))
  await workspace.until(() => workspace.connections() > 0, 180_000)
  const rest = opened.move()
  const queueUrl = queue.url
  return {
    ...{ workspace, pool, fleet, effects, queueUrl, team: team.id },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  }
}

async function homeFiles(url: string): Promise<Record<string, string>> {
  const script = fileURLToPath(import.meta.resolve('../support/servers/desk.ts'))
  const written = { desk: { command: process.execPath, args: [script, 'effects'] } }
  const lock = await acceptAll({ desk: ToolServer.parse(written.desk) }, written)
  return {
    'mcp.json': JSON.stringify({ mcpServers: written }),
    'tools.lock.json': JSON.stringify(lock),
    'policy.yaml': JSON.stringify({ tools: policy }),
    'models.yaml': JSON.stringify({
      pools: { main: { model: 'test', replicas: [url] } },
      embeddings: { url, model: 'test-embed', dimensions: 8 },
    }),
  }
}
