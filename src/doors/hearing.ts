/** Hearing one workspace in this process: what becomes of each thing that Slack sends from it. */
import { type ConnectContext, connectionsOf } from '../agent/accounts/connect.ts'
import { disconnect } from '../agent/accounts/disconnect.ts'
import { forgetOld, type HearContext, handleHeard, handleWaiting, takeIn } from '../agent/hear.ts'
import { type HomeContext, homeOf } from '../agent/home.ts'
import { type Follower, stillListening } from '../agent/knowledge/follower.ts'
import { overhear } from '../agent/knowledge/overhear.ts'
import { openRights } from '../agent/knowledge/rights.ts'
import { catchUp, type MissedContext, noteListening } from '../agent/missed.ts'
import { checkModal, openModal } from '../agent/modal.ts'
import { type Repeating, repeat } from '../agent/repeat.ts'
import { inboxKey } from '../core/heard.ts'
import type { SlackHandlers } from '../slack/listen.ts'
import type { Speaker } from '../slack/speak.ts'
import { doubtPerson, doubtScope } from '../store/members.ts'
import { catalogueOf } from '../tools/pins.ts'
import { type Engines, firstAgent } from './engines.ts'

/** Waiting rows of the inbox are looked at this often, in ms. */
const INBOX_MS = 2_000
/** That we listen is noted this often, in ms; a gap in it is read afterwards. */
const LISTENING_MS = 30_000
/** What is old is forgotten this often, in ms. */
const FORGET_MS = 3_600_000

/** Wakes whoever works for the workspace in this process. */
export type Poke = { worker: () => void; follower: Follower['poke'] }

export type Hearing = {
  on: SlackHandlers
  /** The line is open: from now on what was stored and not handled is looked for. */
  begin(): void
  close(): Promise<void>
}

/** Prepares to hear a workspace. `listening`: whether Slack can reach us now. */
export function openHearing(
  engines: Engines,
  speaker: Pick<Speaker, 'identity' | 'speak' | 'missed'>,
  connecting: ConnectContext,
  poke: Poke,
  listening: () => boolean,
): Hearing {
  const { home, store, tools, lock, log } = engines
  const { pool } = store
  const { identity, speak } = speaker
  const { workspace } = identity
  const rights = openRights({ pool, roster: speak.roster, log })
  const homeContext: HomeContext = {
    pool,
    workspace,
    self: identity.botUser,
    policy: home.policy,
    budgets: home.budgets,
    speak,
    health: tools.health,
    rights,
    connections: (user) => connectionsOf(connecting, { workspace, user }),
  }
  const context: HearContext = {
    pool,
    workspace,
    speak,
    agent: firstAgent(engines).name,
    agents: home.agents,
    rights,
    policy: home.policy,
    budgets: home.budgets,
    catalogue: () => tools.catalogue(workspace),
    accepted: () => catalogueOf(lock()),
    tools,
    showHome: async (user) => speak.publishHome(user, await homeOf(homeContext, user)),
    poke: poke.worker,
    disconnect: (tx, heard, admin) => disconnect(connecting, tx, heard, admin),
    log,
  }
  const turns: Repeating[] = []
  const closing = new AbortController()
  return {
    on: {
      changed: (change) =>
        'scope' in change
          ? doubtScope(pool, workspace, change.scope)
          : doubtPerson(pool, workspace, change.person, change.kind),
      intake: (heard) => takeIn(pool, heard),
      overhear: (overheard) => overhear({ pool, poke: poke.follower }, overheard),
      handle: (heard) => handleHeard(context, inboxKey(heard), heard),
      open: (button, subject, viewer, pointed) => openModal(context, button, subject, viewer, pointed),
      check: (heard) => checkModal(context, heard),
      home: (user) => homeOf(homeContext, user),
    },
    begin() {
      const sweep = repeat(INBOX_MS, () => handleWaiting(context), log)
      const sources = () => home.sources
      const missing: MissedContext = {
        ...{ pool, workspace, missed: speaker.missed, log },
        hear: async (heard) => {
          if ((await takeIn(pool, heard)) === 'stored') await handleHeard(context, inboxKey(heard), heard)
        },
      }
      const catching = repeat(
        LISTENING_MS,
        async () => {
          if (listening() && !closing.signal.aborted) await catchUp(missing, closing.signal)
        },
        log,
      )
      const noting = async () => {
        if (!listening()) return
        await noteListening(missing)
        catching.poke()
        await stillListening({ pool, workspace, sources })
      }
      const listened = repeat(LISTENING_MS, noting, log)
      turns.push(
        sweep,
        listened,
        catching,
        repeat(FORGET_MS, () => forgetOld(context, home.retention), log),
      )
      sweep.poke()
      listened.poke()
    },
    async close() {
      closing.abort()
      await Promise.all(turns.map((turn) => turn.close()))
    },
  }
}
