/** Proposed tool calls and how far each has come. Every move is one compare-and-set. */

import { asJson } from './json.ts'
import type { Db } from './transaction.ts'

export type ApprovalState =
  | 'denied'
  | 'allowed'
  | 'pending'
  | 'approved'
  | 'rejected'
  | 'expired'
  | 'void'
  | 'executing'
  | 'succeeded'
  | 'failed'
  | 'unknown'

export type Resolution = 'done' | 'not-done' | 'again' | 'expired'

/** A proposed call bound to `hash`, the hash of exactly what will be executed. */
export type Approval = {
  id: string
  run: string
  workspace: string
  call: string
  tool: string
  server: string
  args: unknown
  hash: string
  asker: string
  /** Whoever approves must stand in each list. */
  approvers: string[][]
  /** How many different people must approve, whether whoever asked may be one, and who has. */
  need: number
  selfApprove: boolean
  votes: string[]
  /** Approvals on one card. */
  batch: string | null
  /** For how long, and for whom, the approval also holds for the same call again. */
  remember: { scope: 'thread' | 'user'; ttlMs: number } | null
  /** What that is bound to: the hash of all that `hash` covers but the run and the call's id, and of the terms. */
  bound?: string | null | undefined
  /** What a person said of an unknown outcome; `expired` where nobody did in time. */
  resolved: Resolution | null
  state: ApprovalState
  /** ISO time. */
  expires: string
  decidedBy: string | null
}

/** An approval as it begins. */
export type NewApproval = Omit<Approval, 'decidedBy' | 'votes' | 'resolved'>

const COLUMNS = `id, run, workspace, call, tool, server, args, hash, asker, approvers,
  need, self_approve as "selfApprove", votes, batch, remember, bound, resolved, state,
  to_char(expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as expires, decided_by as "decidedBy"`

export async function createApproval(tx: Db, approval: NewApproval): Promise<void> {
  await tx.query(
    `insert into approvals (id, run, workspace, call, tool, server, args, hash, asker, approvers,
       need, self_approve, batch, remember, bound, state, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
    [
      approval.id,
      approval.run,
      approval.workspace,
      approval.call,
      approval.tool,
      approval.server,
      asJson(approval.args),
      approval.hash,
      approval.asker,
      asJson(approval.approvers),
      approval.need,
      approval.selfApprove,
      approval.batch,
      approval.remember && asJson(approval.remember),
      approval.bound ?? null,
      approval.state,
      approval.expires,
    ],
  )
}

export async function readApproval(db: Db, id: string): Promise<Approval | undefined> {
  const found = await db.query<Approval>(`select ${COLUMNS} from approvals where id = $1`, [id])
  return found.rows[0]
}

/** All approvals of a batch, in the order in which they were proposed. */
export async function readBatch(db: Db, batch: string): Promise<Approval[]> {
  const found = await db.query<Approval>(
    `select ${COLUMNS} from approvals where batch = $1 order by (select min(n) from steps s
       where s.run = approvals.run and s.body ->> 'approval' = approvals.id::text)`,
    [batch],
  )
  return found.rows
}

/** The tools (catalogue names) of a server that calls were ever proposed of. */
export async function findToolsOf(db: Db, workspace: string, server: string): Promise<string[]> {
  const found = await db.query<{ tool: string }>(
    'select distinct tool from approvals where workspace = $1 and server = $2 order by tool',
    [workspace, server],
  )
  return found.rows.map(({ tool }) => tool)
}

/** Servers whose tools somebody is asked about, or is remembered to have said yes to. */
export async function findServers(db: Db, workspace: string): Promise<string[]> {
  const found = await db.query<{ server: string }>(
    `select server from approvals where workspace = $1 and state = 'pending'
     union
     select a.server from grants g join approvals a on a.id = g.approval
     where g.workspace = $1 and g.voided_at is null and g.expires_at > now()`,
    [workspace],
  )
  return found.rows.map(({ server }) => server)
}

/** Approvals of these tools (catalogue names) that wait for people, ordered by their runs. */
export async function findPending(db: Db, workspace: string, tools: readonly string[]): Promise<Approval[]> {
  const found = await db.query<Approval>(
    `select ${COLUMNS} from approvals where workspace = $1 and tool = any($2) and state = 'pending'
     order by run, created_at, id`,
    [workspace, tools],
  )
  return found.rows
}

/**
 * Counts the yes of one more person; the last one that is needed approves. Says who has said yes, or undefined where
 * it counts for nothing: they have, or the approval does not wait any more.
 */
export async function castVote(
  tx: Db,
  id: string,
  by: string,
): Promise<{ votes: string[]; approved: boolean } | undefined> {
  const cast = await tx.query<{ votes: string[]; approved: boolean }>(
    `update approvals set votes = votes || $2::text, changed_at = now(),
            state = case when cardinality(votes) + 1 >= need then 'approved' else state end,
            decided_by = case when cardinality(votes) + 1 >= need then $2 else decided_by end
     where id = $1 and state = 'pending' and not $2 = any(votes)
     returning votes, state = 'approved' as approved`,
    [id, by],
  )
  return cast.rows[0]
}

/** Notes what became of a call whose outcome is unknown; false where that is not asked, or was answered. */
export async function resolveApproval(tx: Db, id: string, resolution: Resolution): Promise<boolean> {
  const resolved = await tx.query(
    `update approvals set resolved = $2, changed_at = now()
     where id = $1 and state = 'unknown' and resolved is null`,
    [id, resolution],
  )
  return resolved.rowCount === 1
}

/** Moves an approval from one of `from` to `to`; false where it stood elsewhere, and then nothing changed. */
export async function moveApproval(
  tx: Db,
  id: string,
  from: readonly ApprovalState[],
  to: ApprovalState,
  by?: string,
): Promise<boolean> {
  const moved = await tx.query(
    `update approvals set state = $3, decided_by = coalesce($4, decided_by), changed_at = now()
     where id = $1 and state = any($2)`,
    [id, from, to, by ?? null],
  )
  return moved.rowCount === 1
}

/** Voids every approval of a run that could still lead to a call. */
export async function voidApprovals(tx: Db, run: string): Promise<void> {
  await tx.query(
    `update approvals set state = 'void', changed_at = now()
     where run = $1 and state in ('allowed', 'pending', 'approved')`,
    [run],
  )
}

/** Approvals of a workspace that wait for somebody to decide, the first to expire first. */
export async function readPending(db: Db, workspace: string, limit: number): Promise<Approval[]> {
  const found = await db.query<Approval>(
    `select ${COLUMNS} from approvals where workspace = $1 and state = 'pending' and expires_at > now()
     order by expires_at limit $2`,
    [workspace, limit],
  )
  return found.rows
}

/** Whether a run waits for somebody to decide. */
export async function isWaiting(db: Db, run: string): Promise<boolean> {
  const found = await db.query(
    `select 1 from approvals where run = $1
       and (state = 'pending' or (state = 'unknown' and resolved is null)) limit 1`,
    [run],
  )
  return found.rowCount === 1
}
