/** Approvals that also hold for the same call again: bound to exactly what was approved, for a thread or a person. */
import { randomUUID } from 'node:crypto'
import type { Db } from './transaction.ts'

/** For whom a grant holds: `C…:ts` for a thread, a user id for a person. */
export type Holder = { scope: 'thread' | 'user'; holder: string }

export type Grant = Holder & {
  workspace: string
  /** The hash of server, definition, policy, arguments and terms: see `grantHash` of tools/bind.ts. */
  bound: string
  /** The catalogue name. */
  tool: string
  /** The approval it comes from, and who gave that. */
  approval: string
  givenBy: string[]
  /** ISO time. */
  expires: string
}

export async function createGrant(tx: Db, grant: Grant): Promise<void> {
  await tx.query(
    `insert into grants (id, workspace, bound, scope, holder, tool, approval, given_by, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      randomUUID(),
      grant.workspace,
      grant.bound,
      grant.scope,
      grant.holder,
      grant.tool,
      grant.approval,
      grant.givenBy,
      grant.expires,
    ],
  )
}

/** Who gave the grant that holds for a call at a time (ISO), the longest one; undefined where there is none. */
export async function findGrant(
  db: Db,
  of: Holder & { workspace: string; bound: string; at: string },
): Promise<string[] | undefined> {
  const found = await db.query<{ givenBy: string[] }>(
    `select given_by as "givenBy" from grants
     where workspace = $1 and bound = $2 and scope = $3 and holder = $4 and voided_at is null and expires_at > $5
     order by expires_at desc limit 1`,
    [of.workspace, of.bound, of.scope, of.holder, of.at],
  )
  return found.rows[0]?.givenBy
}

/** Ends every grant for these tools (catalogue names), and says how many held until now. */
export async function voidGrants(db: Db, workspace: string, tools: readonly string[]): Promise<number> {
  const voided = await db.query(
    `update grants set voided_at = now()
     where workspace = $1 and tool = any($2) and voided_at is null and expires_at > now()`,
    [workspace, tools],
  )
  return voided.rowCount ?? 0
}

/** Forgets grants whose time is over. */
export async function pruneGrants(db: Db, workspace: string): Promise<number> {
  const gone = await db.query('delete from grants where workspace = $1 and expires_at < now()', [workspace])
  return gone.rowCount ?? 0
}
