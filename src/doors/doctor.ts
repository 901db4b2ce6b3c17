/** `quorum doctor`: line by line, what is configured, reachable and migrated, and what to do about what is not. */
import { openToken } from '../agent/installs/tokens.ts'
import type { Env } from '../core/env.ts'
import { Fault } from '../core/fault.ts'
import type { Home } from '../core/home.ts'
import { readHome } from '../home/read.ts'
import { openQueue } from '../queue/open.ts'
import { openSpeaker } from '../slack/speak.ts'
import { countConnected } from '../store/credentials.ts'
import { type Install, listInstalls, listServed } from '../store/installs.ts'
import { pending } from '../store/migrate.ts'
import { openStore, type Store } from '../store/open.ts'
import { SECRET_HELP } from '../store/seal.ts'
import { serverHash } from '../tools/bind.ts'
import { openTools } from '../tools/open.ts'
import { isAcceptedServer } from '../tools/pins.ts'
import { tooAlike } from './accepting.ts'
import { addressOf } from './connect.ts'
import { readEnv } from './environment.ts'
import { examineModels } from './examine-models.ts'
import { examineEmbeddings, examineProgress } from './examine-vectors.ts'
import { print } from './print.ts'
import { readSeal } from './secret.ts'
import { heldBy, tellInstall } from './workspaces.ts'

/** What was found about one thing. `warn` works, but not as well as it could. */
export type Finding = { mark: 'ok' | 'warn' | 'bad'; about: string; said: string; help?: string }

/** How long an engine that does not answer is waited for, in ms. */
const PATIENCE_MS = 5_000

/** Prints every finding. Answers 0 where nothing is bad. */
export async function doctorDoor(_: string[]): Promise<number> {
  let bad = 0
  for await (const finding of examine()) {
    if (finding.mark === 'bad') bad += 1
    print(`${{ ok: '✓', warn: '!', bad: '✗' }[finding.mark]} ${finding.about.padEnd(12)} ${finding.said}`)
    if (finding.help) print(`  ${''.padEnd(12)} → ${finding.help}`)
  }
  print(bad === 0 ? '\nAll well.' : `\n${bad === 1 ? 'One thing' : `${bad} things`} to mend.`)
  return bad === 0 ? 0 : 1
}

/** Examines the deployment, everything at once; nothing in it is changed. */
export async function* examine(): AsyncGenerator<Finding> {
  let env: Env
  try {
    env = readEnv()
    yield { mark: 'ok', about: 'environment', said: 'read' }
  } catch (error) {
    yield bad('environment', error, 'Mend the settings named above; .env.example lists them all.')
    return
  }
  const home = await examineHome(env)
  const parts = [
    one(examineSlack(env)),
    one(examineApp(env)),
    Promise.resolve(home.findings),
    all(examineStore(env, home.read)),
    one(examineQueue(env)),
    examineModels(home.read),
    one(examineEmbeddings(home.read)),
    home.read ? all(examineTools(home.read)) : Promise.resolve([]),
  ]
  for (const part of parts) yield* await part
}

async function one(finding: Promise<Finding> | Finding): Promise<Finding[]> {
  return [await finding]
}

async function all(findings: AsyncIterable<Finding>): Promise<Finding[]> {
  return Array.fromAsync(findings)
}

async function examineHome(env: Env): Promise<{ read?: Home; findings: Finding[] }> {
  try {
    const read = await readHome(env.QUORUM_HOME, process.env)
    const agents = read.agents.map((a) => a.name).join(', ')
    return { read, findings: [{ mark: 'ok', about: 'home', said: `${read.dir}: agents ${agents}` }] }
  } catch (error) {
    const help = 'Mend the files named above, or write a first home: quorum init home'
    return { findings: [bad('home', error, help)] }
  }
}

async function examineSlack(env: Env): Promise<Finding> {
  const help = 'Create the app from manifests/slack, install it, put its tokens into .env.'
  if (!env.SLACK_BOT_TOKEN && env.SLACK_CLIENT_ID) {
    const about = 'slack'
    if (!env.SLACK_CLIENT_SECRET) return { mark: 'bad', about, said: 'SLACK_CLIENT_SECRET is not set', help }
    return { mark: 'ok', about, said: `installed by the page ${addressOf(env, env.PORT)}/slack/install` }
  }
  if (!env.SLACK_BOT_TOKEN) return { mark: 'bad', about: 'slack', said: 'SLACK_BOT_TOKEN is not set', help }
  try {
    await using speaker = await openSpeaker({ botToken: env.SLACK_BOT_TOKEN, apiUrl: env.SLACK_API_URL })
    const { workspace, botUser } = speaker.identity
    return { mark: 'ok', about: 'slack', said: `signed in to ${workspace} as ${botUser}` }
  } catch (error) {
    return bad('slack', error, help)
  }
}

function examineApp(env: Env): Finding {
  if (env.SLACK_APP_TOKEN?.startsWith('xapp-')) return { mark: 'ok', about: 'events', said: 'Socket Mode' }
  if (env.SLACK_APP_TOKEN) {
    const help = 'Basic Information → App-Level Tokens, scope connections:write.'
    return { mark: 'bad', about: 'events', said: 'SLACK_APP_TOKEN is not an app-level token (xapp-…)', help }
  }
  if (env.SLACK_SIGNING_SECRET) {
    return { mark: 'ok', about: 'events', said: `signed HTTP at http://${env.HOST}:${env.PORT}/slack/events` }
  }
  const help = 'Set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for signed HTTP.'
  return { mark: 'bad', about: 'events', said: 'no way for Slack to reach us is configured', help }
}

async function* examineStore(env: Env, home: Home | undefined): AsyncGenerator<Finding> {
  let store: Store
  try {
    store = await openStore({
      databaseUrl: env.DATABASE_URL,
      dataDir: env.QUORUM_DATA,
      patienceMs: PATIENCE_MS,
    })
  } catch (error) {
    const locked = error instanceof Fault && error.code === 'store-locked'
    const help = locked
      ? 'The embedded database belongs to one process: end that one, or use a server by DATABASE_URL.'
      : 'Is the server running, and are address, user and password in DATABASE_URL right?'
    yield bad('database', error, help)
    return
  }
  await using opened = store
  const version = await opened.pool.query('show server_version')
  const kind = opened.kind === 'embedded' ? `embedded, in ${env.QUORUM_DATA}` : 'server'
  yield { mark: 'ok', about: 'database', said: `${kind}, PostgreSQL ${version.rows[0]?.server_version}` }
  yield await examineVectors(opened)
  try {
    const waiting = await pending(opened.pool)
    const help = 'quorum migrate (start does it by itself)'
    yield waiting.length === 0
      ? { mark: 'ok', about: 'migrations', said: 'all applied' }
      : { mark: 'warn', about: 'migrations', said: `${waiting.length} to apply: ${waiting.join(', ')}`, help }
    if (waiting.length === 0) yield await examineSearch(opened)
    if (waiting.length === 0) yield* examineProgress(opened)
    if (waiting.length === 0 && env.SLACK_CLIENT_ID) yield* examineInstalls(env, opened)
    if (home) yield* examineAccounts(env, home, waiting.length === 0 ? opened : undefined)
  } catch (error) {
    yield bad('migrations', error, 'Run the version of Quorum that this database belongs to.')
  }
}

/** Where the app is installed by its page, and whether Slack takes its tokens. Nothing is renewed here. */
async function* examineInstalls(env: Env, { pool }: Store): AsyncGenerator<Finding> {
  const about = 'workspace'
  try {
    const held = heldBy(env)
    const installs = (await listInstalls(pool)).filter(({ state }) => state !== 'removed')
    const help = 'A link for one: quorum workspaces invite'
    if (installs.length === 0) yield { mark: 'warn', about, said: 'installed nowhere yet', help }
    const served = await listServed(pool)
    for (const install of installs) {
      const { holder, name } = install
      const teams = served.filter((one) => one.holder === holder).map(({ workspace }) => workspace)
      const whose = holder.startsWith('E')
        ? `${name} (${holder}: ${teams.join(', ') || 'no workspace yet'})`
        : `${name} (${holder})`
      yield { about, ...(await examineToken(held, install, whose)) }
    }
  } catch (error) {
    yield bad(about, error, SECRET_HELP)
  }
}

async function examineToken(
  { oauth, seal }: ReturnType<typeof heldBy>,
  install: Install,
  whose: string,
): Promise<Omit<Finding, 'about'>> {
  const again = 'Let an administrator there install it again: quorum workspaces invite'
  try {
    const { token } = openToken(seal, install)
    if (!(await oauth.works(token)))
      return { mark: 'bad', said: `${whose}: Slack refuses its token`, help: again }
    if (install.state === 'refused')
      return { mark: 'bad', said: `${whose}: ${tellInstall(install)}`, help: again }
    return { mark: 'ok', said: `${whose}: its token works` }
  } catch (error) {
    return {
      mark: 'bad',
      said: `${whose}: ${error instanceof Error ? error.message : String(error)}`,
      help: again,
    }
  }
}

/** Who has connected an account to each server that wants one. */
async function* examineAccounts(env: Env, home: Home, store: Store | undefined): AsyncGenerator<Finding> {
  const servers = peoplesServers(home)
  if (servers.length === 0) return
  try {
    if (!readSeal(env, { make: false }) && env.DATABASE_URL) {
      yield { mark: 'bad', about: 'accounts', said: 'QUORUM_SECRET is not set', help: SECRET_HELP }
      return
    }
  } catch (error) {
    yield bad('accounts', error, SECRET_HELP)
    return
  }
  const counted = store ? await countConnected(store.pool) : []
  for (const { name, per } of servers) {
    const { workspaces, people, expired } = counted.find(({ server }) => server === name) ?? NOBODY
    const shared = workspaces > 0 ? 'connected for the workspace' : 'not connected for the workspace'
    const own = `${people} ${people === 1 ? 'person has' : 'people have'} connected`
    const lapsed = expired > 0 ? `; ${expired} must connect again` : ''
    const said = `${per === 'workspace' ? shared : own}${lapsed}`
    const well = per === 'workspace' ? workspaces > 0 : people > 0
    const about = `tool ${name}`
    if (well) yield { mark: 'ok', about, said }
    else yield { mark: 'warn', about, said, help: 'Press Connect in App Home.' }
  }
}

const NOBODY = { workspaces: 0, people: 0, expired: 0 }

function peoplesServers(home: Home): { name: string; per: 'user' | 'workspace' }[] {
  return Object.entries(home.servers).flatMap(([name, server]) =>
    'url' in server && server.auth?.type === 'oauth' ? [{ name, per: server.auth.per }] : [],
  )
}

async function examineVectors(store: Store): Promise<Finding> {
  const found = await store.pool.query(
    `select default_version from pg_available_extensions where name = 'vector'`,
  )
  const version = found.rows[0]?.default_version
  if (version) return { mark: 'ok', about: 'pgvector', said: String(version) }
  const help = 'Install pgvector 0.8 or newer on the database server (postgresql-NN-pgvector).'
  return { mark: 'bad', about: 'pgvector', said: 'the server does not have it', help }
}

async function examineSearch(store: Store): Promise<Finding> {
  const found = await store.pool.query(
    `select exists (select from pg_indexes where indexname = 'passages_bm25') as made,
            exists (select from pg_available_extensions where name = 'pg_textsearch') as there`,
  )
  const { made, there } = found.rows[0] ?? {}
  const plain = 'words by plain PostgreSQL, and vectors'
  if (made) return { mark: 'ok', about: 'search', said: 'words by BM25 (pg_textsearch), and vectors' }
  if (!there)
    return { mark: 'ok', about: 'search', said: `${plain} (the server does not have pg_textsearch)` }
  return {
    mark: 'ok',
    about: 'search',
    said: `${plain}; BM25 from the next start, if the server preloads pg_textsearch`,
  }
}

async function examineQueue(env: Env): Promise<Finding> {
  try {
    await using queue = await openQueue({ redisUrl: env.REDIS_URL, patienceMs: PATIENCE_MS })
    await queue.ping()
    const warnings = await queue.check()
    const kind = queue.kind === 'embedded' ? 'embedded, in each process' : 'server'
    if (warnings.length === 0) return { mark: 'ok', about: 'queue', said: kind }
    return { mark: 'warn', about: 'queue', said: `${kind}; ${warnings.join(' ')}` }
  } catch (error) {
    return bad('queue', error, 'Is Valkey or Redis running, and is REDIS_URL right?')
  }
}

async function* examineTools(home: Home): AsyncGenerator<Finding> {
  const { lock, written, policy } = home
  // Those with accounts of people are looked at beside the store that keeps them.
  const apart = new Set(peoplesServers(home).map(({ name }) => name))
  const servers = Object.fromEntries(Object.entries(home.servers).filter(([name]) => !apart.has(name)))
  const options = { env: process.env, cwd: home.dir, policy, lock: () => lock, written }
  await using tools = openTools(servers, options)
  const catalogue = await tools.catalogue()
  const withdrawn = tools.withdrawn()
  for (const { server, state, era, why } of tools.health()) {
    const about = `tool ${server}`
    const count = catalogue.filter((tool) => tool.server === server).length
    const waiting = withdrawn.filter((one) => one.server === server)
    const help = `To look at what waits and accept it: quorum tools accept ${server}`
    if (waiting.some((one) => one.kind === 'server-changed'))
      yield { mark: 'warn', about, said: 'its command or address changed since it was accepted', help }
    else if (state === 'idle') yield { mark: 'warn', about, said: 'not accepted, so it is not used', help }
    else if (state !== 'ready')
      yield { mark: 'bad', about, said: why ?? state, help: 'Look at this server in mcp.json.' }
    else if (waiting.length > 0)
      yield { mark: 'warn', about, said: `${count} tools; ${waiting.length} new, changed or gone`, help }
    else yield { mark: 'ok', about, said: `${count} tools, MCP ${era}` }
  }
  yield* examineUnaccepted(home, apart)
  const help = 'Accept only one of them (quorum tools accept), or give a server another name in mcp.json.'
  for (const said of tooAlike(lock)) yield { mark: 'warn', about: 'tool names', said, help }
}

/** Servers that people connect to and nobody accepted as they are now: they are not asked here. */
function* examineUnaccepted(
  { lock, servers, written }: Home,
  names: ReadonlySet<string>,
): Generator<Finding> {
  for (const name of names) {
    if (isAcceptedServer(lock, name, serverHash(name, written[name] ?? servers[name]))) continue
    const known = lock && Object.hasOwn(lock.servers, name)
    const said = known ? 'its entry changed since it was accepted' : 'not accepted, so it is not used'
    const help = `To look at it and accept it, once somebody has connected: quorum tools accept ${name}`
    yield { mark: 'warn', about: `tool ${name}`, said, help }
  }
}

function bad(about: string, error: unknown, help: string): Finding {
  return { mark: 'bad', about, said: error instanceof Error ? error.message : String(error), help }
}
