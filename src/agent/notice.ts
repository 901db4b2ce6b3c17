/** Tools that are withdrawn: what waits for them is void, and the admins are told once, with what changed. */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import { canonical } from '../core/canonical.ts'
import type { Policy } from '../core/rules.ts'
import { withdrawalMessage } from '../slack/blocks/withdrawal.ts'
import type { Speak } from '../slack/speak.ts'
import { inTransaction } from '../store/transaction.ts'
import { differences } from '../tools/difference.ts'
import type { Withdrawn } from '../tools/pins.ts'
import { sayOnce } from './say.ts'
import { withdrawTools } from './withdraw.ts'

export type NoticeContext = {
  pool: pg.Pool
  workspace: string
  policy: Policy
  speak: Pick<Speak, 'post' | 'find' | 'direct' | 'members'>
  /** What is withdrawn just now. */
  withdrawn: () => readonly Withdrawn[]
  /** Catalogue names of the accepted tools of a server, of which some may be withdrawn. */
  namesOf: (withdrawn: Withdrawn) => readonly string[]
  log: (level: 'warn' | 'info', message: string, fields?: Record<string, unknown>) => void
}

/** Watches what is withdrawn; `look` acts on what was not seen before in this process. */
export function openNotices(context: NoticeContext): { look(): Promise<void> } {
  const seen = new Set<string>()
  return {
    async look() {
      for (const withdrawn of context.withdrawn()) {
        const print = fingerprint(withdrawn)
        if (seen.has(print)) continue
        await actOn(context, withdrawn, print)
        seen.add(print)
      }
    },
  }
}

async function actOn(context: NoticeContext, withdrawn: Withdrawn, print: string): Promise<void> {
  const { pool, workspace, log } = context
  const names = context.namesOf(withdrawn)
  const done =
    withdrawn.kind === 'new' || names.length === 0
      ? { approvals: 0, grants: 0 }
      : await inTransaction(pool, (tx) => withdrawTools(tx, workspace, names, WHY[withdrawn.kind]))
  log('warn', 'a tool is withdrawn until it is accepted: quorum tools accept', {
    server: withdrawn.server,
    tool: withdrawn.tool,
    kind: withdrawn.kind,
    ...done,
  })
  const changes = differences(withdrawn.accepted, withdrawn.found)
  const message = withdrawalMessage(withdrawn, changes)
  for (const admin of await adminsOf(context)) {
    try {
      const channel = await context.speak.direct(admin)
      await sayOnce(context, { owner: `withdrawn:${workspace}:${print}`, part: admin, channel, message })
    } catch (error) {
      log('warn', 'an admin could not be told of a withdrawn tool', { admin, why: String(error) })
    }
  }
}

const WHY: Record<Withdrawn['kind'], string> = {
  new: 'Nobody has accepted the tool yet.',
  changed: 'The tool changed since it was accepted, so it is withdrawn until an admin accepts it again.',
  'server-changed':
    'The command or address of the tool server changed, so its tools are withdrawn until an admin accepts them.',
  gone: 'The tool server does not have the tool any more.',
}

/** Who is told: the admins of the policy, groups as their members. */
async function adminsOf({ policy, speak }: NoticeContext): Promise<string[]> {
  const each = await Promise.all(
    policy.admins.map(async (who) => (who.startsWith('S') ? speak.members(who) : [who])),
  )
  return [...new Set(each.flat())].sort()
}

function fingerprint(withdrawn: Withdrawn): string {
  return createHash('sha256').update(canonical(withdrawn)).digest('hex').slice(0, 32)
}
