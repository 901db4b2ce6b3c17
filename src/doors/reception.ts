/** The workspaces that this process attends to: that of the environment's token, and all that are installed. */
import { type ChangeContext, syncOrganisations, takeInstallChange } from '../agent/installs/change.ts'
import { openTokens } from '../agent/installs/tokens.ts'
import { repeat } from '../agent/repeat.ts'
import { Fault } from '../core/fault.ts'
import { workspacesOf } from '../slack/installs.ts'
import type { Desk, Reception } from '../slack/listen.ts'
import type { SlackOAuth } from '../slack/oauth.ts'
import { openSpeaker } from '../slack/speak.ts'
import { listServed, type Served } from '../store/installs.ts'
import type { Seal } from '../store/seal.ts'
import { type Attended, type Attending, attend } from './attend.ts'
import type { Engines } from './engines.ts'

/** Installed workspaces are looked for this often, in ms. */
const LOOK_MS = 1_000
/** Organisations are asked this often which workspaces they let us into, in ms: for events that were lost. */
const SYNC_MS = 10 * 60_000
/** After a workspace could not be attended to, it is tried again; each time twice as long after, in ms. */
const AGAIN_MS = { first: 5_000, longest: 300_000 }
/** Workspaces that are opened at once. */
const AT_ONCE = 8
/** A workspace that leaves has this long to hand back what is under way, in ms. */
const LEAVE_MS = 1_000

export type OpenReception = Reception & {
  of(workspace: string): Attended | undefined
  workspaces(): string[]
  /** Somebody was installed: look now. */
  poke(): void
  /** The line is open. */
  begin(): void
  /** Throws where the queue of a workspace does not answer. */
  ping(): Promise<void>
  /** Closes as {@link Attended} does, all at once. */
  close(graceMs: number, ended?: Promise<unknown>): Promise<void>
}

export type ReceptionSettings = Attending & {
  /** The one workspace of a token in the environment. */
  botToken?: string | undefined
  /** What installed workspaces are served with; absent where there are none. */
  held?: { oauth: SlackOAuth; seal: Seal } | undefined
  apiUrl?: string | undefined
  /** How fast the clock of Slack's limits goes; only for a local workspace that keeps them. */
  speed?: number | undefined
}

/** Opens what is there. @throws Fault where the environment's token is no good */
export async function openReception(engines: Engines, settings: ReceptionSettings): Promise<OpenReception> {
  const { store, log } = engines
  const { botToken, held, apiUrl, speed } = settings
  const { pool } = store
  const attended = new Map<string, Attended & { id?: string }>()
  /** By installation. */
  const failing = new Map<string, { until: number; pauseMs: number }>()
  const leaving = new Set<Promise<void>>()
  let begun = false

  const add = (one: Attended, id?: string) => {
    attended.set(one.workspace, { ...one, ...(id ? { id } : {}) })
    if (begun) one.begin()
  }
  const own = botToken
    ? await attend(engines, await openSpeaker({ botToken, apiUrl, speed, log }), settings)
    : undefined
  if (own) add(own)

  async function open({ workspace, holder, id }: Served): Promise<void> {
    const tried = failing.get(id)
    if (!held || (tried && tried.until > Date.now())) return
    try {
      const tokens = openTokens({ pool, log, ...held }, holder, id)
      const speaker = await openSpeaker({ botToken: tokens, workspace, apiUrl, speed, log })
      add(await attend(engines, speaker, settings), id)
      failing.delete(id)
      log('info', 'a workspace is attended to', { workspace })
    } catch (error) {
      const pauseMs = Math.min((tried?.pauseMs ?? AGAIN_MS.first / 2) * 2, AGAIN_MS.longest)
      failing.set(id, { until: Date.now() + pauseMs, pauseMs })
      const why = error instanceof Error ? error.message : String(error)
      log('error', 'a workspace cannot be attended to; it is tried again', {
        workspace,
        why,
        again_in_s: pauseMs / 1000,
      })
    }
  }
  function leave(one: Attended): void {
    attended.delete(one.workspace)
    const left = one.close(LEAVE_MS).catch((error: unknown) => {
      log('warn', 'a workspace was not left in order', { workspace: one.workspace, why: String(error) })
    })
    leaving.add(left.finally(() => leaving.delete(left)))
    log('info', 'a workspace is attended to no more', { workspace: one.workspace })
  }
  /** Brings what is attended to in step with what is installed. */
  async function look(): Promise<void> {
    const served = (await listServed(pool)).filter(({ workspace }) => workspace !== own?.workspace)
    const ids = new Map(served.map(({ workspace, id }) => [workspace, id]))
    for (const one of attended.values()) if (one.id && ids.get(one.workspace) !== one.id) leave(one)
    const lacking = served.filter(({ workspace }) => !attended.has(workspace))
    for (let i = 0; i < lacking.length; i += AT_ONCE)
      await Promise.all(lacking.slice(i, i + AT_ONCE).map(open))
  }

  const changing: ChangeContext = { pool, held, poke: () => looking?.poke(), log }
  if (held) await look()
  const looking = held && repeat(LOOK_MS, look, log)
  const syncing = held && repeat(SYNC_MS, () => syncOrganisations(changing), log)
  syncing?.poke()

  const find = (workspaces: readonly string[]): Attended | undefined =>
    workspaces.flatMap((workspace) => attended.get(workspace) ?? [])[0]
  const strangers = new Set<string>()

  async function desk(body: unknown): Promise<Desk | undefined> {
    const workspaces = workspacesOf(body)
    // With a token of the environment alone, everything that comes is for its workspace.
    const found = find(workspaces) ?? (held ? undefined : own)
    if (found) return found.desk
    const served = await listServed(pool)
    if (served.some(({ workspace }) => workspaces.includes(workspace))) {
      looking?.poke()
      throw new Fault('slack-refused', 'This workspace is being opened.', { retry: true })
    }
    const [stranger = 'nobody'] = workspaces
    if (!strangers.has(stranger))
      log('warn', 'Slack sends what is for no workspace served here', { stranger })
    if (strangers.size < 1_000) strangers.add(stranger)
    return undefined
  }

  return {
    desk,
    installs: (change) => takeInstallChange(changing, change),
    of: (workspace) => attended.get(workspace),
    workspaces: () => [...attended.keys()],
    poke: () => looking?.poke(),
    begin() {
      begun = true
      for (const one of attended.values()) one.begin()
    },
    async ping() {
      await Promise.all([...attended.values()].map((one) => one.ping()))
    },
    async close(graceMs, ended) {
      const here = [...attended.values()]
      const closeNew = async () => {
        await Promise.all([looking?.close(), syncing?.close()])
        const opened = [...attended.values()].filter((one) => !here.includes(one))
        await Promise.all([...leaving, ...opened.map((one) => one.close(0, ended))])
      }
      await Promise.all([closeNew(), ...here.map((one) => one.close(graceMs, ended))])
    },
  }
}
