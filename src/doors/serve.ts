/** Running the agent in this process: listening to Slack, advancing runs, or both. */
import type { ServerResponse } from 'node:http'
import { isAdmin } from '../agent/admins.ts'
import { type Repeating, repeat } from '../agent/repeat.ts'
import { openSlots } from '../agent/slots.ts'
import { type Listener, openListener } from '../slack/listen.ts'
import { type OAuthApp, openSlackOAuth } from '../slack/oauth.ts'
import { askHealth, type Check, openHealth } from '../web/health.ts'
import type { Attending, Part } from './attend.ts'
import { connectContext, connectRoutes, pagesFor } from './connect.ts'
import type { Engines } from './engines.ts'
import { installRoutes, pagesToInstall, sealFor } from './install.ts'
import { type OpenReception, openReception } from './reception.ts'

/** Where Slack is and how we prove who we are. */
export type SlackAddress = {
  /** The token of one workspace. */
  botToken?: string | undefined
  /** The app, which any number of workspaces install by its page. */
  app?: OAuthApp | undefined
  appToken?: string | undefined
  signingSecret?: string | undefined
  apiUrl?: string | undefined
  /** How fast the clock of Slack's limits goes; only for a local workspace that keeps them. */
  speed?: number | undefined
}

export type Serving = {
  /** Those that are attended to just now. */
  workspaces(): string[]
  /** Where `/health` answers, and signed HTTP where that is used. */
  port: number
  /** Stops taking work, finishes or hands back what is under way within `graceMs`. */
  close(graceMs?: number): Promise<void>
}

/** What dead processes hold is freed this often, in ms. */
const LEDGER_MS = 3_000
/** Closing may take so long, and the end of listening in it, in ms. */
export const GRACE_MS = 9_500
const LISTEN_GRACE_MS = 2_000

/**
 * Starts listening, working, or both, over open engines. `beside` is done for every workspace that is worked for.
 * @throws Fault config-invalid, slack-token, slack-scope, slack-unreachable
 */
export async function serve(
  engines: Engines,
  slackAt: SlackAddress,
  part: Part,
  beside?: Attending['beside'],
): Promise<Serving> {
  const { env, home, store, log } = engines
  const { botToken, app, apiUrl } = slackAt
  await using opened = new AsyncDisposableStack()
  let port = env.PORT
  let reception: OpenReception | undefined
  const speakOf = (workspace: string) => reception?.of(workspace)?.speak
  const connecting = connectContext(
    engines,
    () => port,
    async ({ workspace, user }) => {
      const speak = speakOf(workspace)
      return speak ? isAdmin({ policy: home.policy, speak }, user) : false
    },
  )
  const held = app && { oauth: openSlackOAuth(app, { apiUrl, log }), seal: sealFor(engines) }
  const pages = () => {
    const all = pagesFor(
      connecting,
      async (workspace, user) => (await speakOf(workspace)?.name(user)) ?? user,
    )
    const { base } = connecting
    const isServed = (workspace: string) => reception?.of(workspace) !== undefined
    if (held) all.route('/', pagesToInstall(engines, held, { base, poke: () => reception?.poke(), isServed }))
    return all
  }
  const checks: Check[] = [{ name: 'store', check: async () => void (await store.pool.query('select 1')) }]
  const customRoutes = [
    ...healthRoutes(checks),
    ...connectRoutes(pages),
    ...(held ? installRoutes(pages) : []),
  ]
  const at = { ...slackAt, host: env.HOST, port: env.PORT, log, customRoutes }
  const listener =
    part === 'worker'
      ? undefined
      : openListener(at, {
          desk: (body) => reception?.desk(body),
          installs: async (change) => reception?.installs?.(change),
        })
  const listening = () => listener?.listening() ?? false
  const slots = openSlots(env.QUORUM_SLOTS)
  const open = await openReception(engines, {
    botToken,
    held,
    apiUrl,
    speed: slackAt.speed,
    part,
    connecting,
    listening,
    slots,
    beside,
  })
  reception = open
  let sweeping: Repeating | undefined
  let heard: Listener | undefined
  let health: Awaited<ReturnType<typeof openHealth>> | undefined
  /** All at once: what is under way ends while nothing new comes. */
  const close = async (graceMs: number): Promise<void> => {
    const deaf = heard?.close(Math.min(graceMs, LISTEN_GRACE_MS))
    await Promise.all([open.close(graceMs, deaf), deaf, sweeping?.close(), health?.close()])
  }
  opened.defer(() => close(0))
  if (part !== 'slack') {
    checks.push({ name: 'queue', check: open.ping })
    sweeping = repeat(LEDGER_MS, () => sweepLedger(engines), log)
  }
  if (listener) {
    checks.push({ name: 'slack', check: async () => expectListening(listening()) })
    await listener.start()
    heard = listener
    open.begin()
  }
  const sharesPort = listener !== undefined && !slackAt.appToken
  if (!sharesPort) health = await openHealth({ host: env.HOST, port: env.PORT }, checks, pages())
  port = health?.port ?? port
  opened.move()
  return { workspaces: open.workspaces, port, close: (graceMs = GRACE_MS) => close(graceMs) }
}

async function sweepLedger({ ledger, log }: Engines): Promise<void> {
  const swept = await ledger.sweep()
  if (swept > 0) log('info', 'calls of processes that are gone were charged at their least', { swept })
}

function expectListening(listening: boolean): void {
  if (!listening) throw new Error('not connected to Slack')
}

/** `/health` beside signed HTTP, on Bolt's own port. */
function healthRoutes(checks: readonly Check[]) {
  const answer = async (response: ServerResponse) => {
    const health = await askHealth(checks)
    response.writeHead(health.ok ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify(health))
  }
  return [
    {
      path: '/health',
      method: 'GET',
      handler: (_: unknown, response: ServerResponse) => void answer(response),
    },
  ]
}
