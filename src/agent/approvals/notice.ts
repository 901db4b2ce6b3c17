/** Tools that are withdrawn: what waits for them is void, and the admins are told once, with what changed. */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { canonical } from '../../core/canonical.ts'
import { Fault } from '../../core/fault.ts'
import type { Lock } from '../../core/lock.ts'
import type { Policy } from '../../core/rules.ts'
import { withdrawalMessage } from '../../slack/blocks/withdrawal.ts'
import type { Speak } from '../../slack/speak.ts'
import { findServers, findToolsOf } from '../../store/approvals.ts'
import { inTransaction } from '../../store/transaction.ts'
import { catalogueName } from '../../tools/accept.ts'
import { differences, textsOf } from '../../tools/difference.ts'
import { suspicions } from '../../tools/names.ts'
import { catalogueOf, type Withdrawn } from '../../tools/pins.ts'
import { adminsOf } from '../admins.ts'
import { sayOnce } from '../say.ts'
import { withdrawTools } from './withdraw.ts'

export type NoticeContext = {
  pool: pg.Pool
  workspace: string
  policy: Policy
  speak: Pick<Speak, 'post' | 'find' | 'direct' | 'members'>
  /** What is withdrawn just now. */
  withdrawn: () => readonly Withdrawn[]
  /** The servers of mcp.json. */
  servers: readonly string[]
  /** Catalogue names of the accepted tools of a server, of which some may be withdrawn. */
  namesOf: (withdrawn: Withdrawn) => readonly string[]
  /** What is accepted just now. */
  lock: () => Lock | undefined
  log: (level: 'warn' | 'info', message: string, fields?: Record<string, unknown>) => void
}

/** How far one withdrawal was acted on in this process, and which admins could not be told so far. */
type Acted = { withdrawn: Withdrawn; told: boolean; missed: Set<string> }

/**
 * Watches what is withdrawn. `look` acts on what was not seen before in this process, or was back meanwhile; admins
 * who cannot be reached just now are told at a later look.
 */
export function openNotices(context: NoticeContext): { look(): Promise<void> } {
  const known = new Map<string, Acted>()
  return {
    async look() {
      const all = [...context.withdrawn(), ...(await removedServers(context))]
      const now = new Map(all.map((one) => [fingerprint(one), one]))
      // A removed server is nowhere to be found once nothing waits for it: its admins are still to be told.
      for (const [print, { told, withdrawn }] of known)
        if (!now.has(print) && (told || withdrawn.kind !== 'removed')) known.delete(print)
      // First all that protects, then all that tells.
      for (const [print, withdrawn] of now) {
        if (known.has(print)) continue
        await voidAll(context, withdrawn)
        known.set(print, { withdrawn, told: false, missed: new Set() })
      }
      for (const [print, acted] of known)
        if (!acted.told) acted.told = await tell(context, acted.withdrawn, print, acted.missed)
    },
  }
}

/** Servers that were accepted, or that something waits for, and that are not configured any more. */
async function removedServers({ pool, workspace, lock, servers }: NoticeContext): Promise<Withdrawn[]> {
  const known = new Set([...Object.keys(lock()?.servers ?? {}), ...(await findServers(pool, workspace))])
  return [...known]
    .filter((server) => !servers.includes(server))
    .map((server) => ({ server, tool: '*', kind: 'removed' }))
}

/** Voids what waits for the tool, or was remembered for it. */
async function voidAll(context: NoticeContext, withdrawn: Withdrawn): Promise<void> {
  const { pool, workspace, log } = context
  const { server, tool, kind } = withdrawn
  // The lock may have been changed as well: what was proposed before counts too, not only what it accepts now.
  const before = tool === '*' ? await findToolsOf(pool, workspace, server) : [catalogueName(server, tool)]
  const names = [...new Set([...context.namesOf(withdrawn), ...before])]
  const done = await inTransaction(pool, (tx) => withdrawTools(tx, workspace, names, WHY[kind]))
  log('warn', 'a tool is withdrawn', { server, tool, kind, why: WHY[kind], ...done })
}

/** Tells each admin once, whatever process does it; false where somebody could not be told yet. */
async function tell(
  context: NoticeContext,
  withdrawn: Withdrawn,
  print: string,
  missed: Set<string>,
): Promise<boolean> {
  const { workspace, speak, log } = context
  const others = catalogueOf(context.lock()).filter(({ server }) => server !== withdrawn.server)
  const doubts = suspicions(
    textsOf(withdrawn.found).join('\n'),
    others.map(({ name }) => name),
  )
  const message = withdrawalMessage(withdrawn, differences(withdrawn.accepted, withdrawn.found), doubts)
  let told = true
  for (const admin of await adminsOf(context)) {
    try {
      const channel = await speak.direct(admin)
      const saying = { owner: `withdrawn:${workspace}:${print}`, part: admin, channel, message }
      if ((await sayOnce(context, saying)) === 'busy') told = false
    } catch (error) {
      if (error instanceof Fault && error.retry) told = false
      if (missed.has(admin)) continue
      missed.add(admin)
      log('warn', 'an admin could not be told of a withdrawn tool', { admin, why: String(error) })
    }
  }
  return told
}

const WHY: Record<Withdrawn['kind'], string> = {
  new: 'The tool is not accepted, so it is not used.',
  changed: 'The tool changed since it was accepted, so it is withdrawn until an admin accepts it again.',
  'server-changed':
    'The command or address of the tool server changed, so its tools are withdrawn until an admin accepts them.',
  removed: 'The tool server is not set up any more.',
  gone: 'The tool server does not have the tool any more.',
}

function fingerprint(withdrawn: Withdrawn): string {
  return createHash('sha256').update(canonical(withdrawn)).digest('hex').slice(0, 32)
}
