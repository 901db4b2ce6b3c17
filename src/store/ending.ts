/** Ending runs from outside, whatever they are doing: whoever works on one finds that it is over. */
import { voidApprovals } from './approvals.ts'
import type { Tx } from './transaction.ts'

/** Ends these active runs, which must be locked. `text` stands where an answer would; nothing is said in their threads. */
export async function endRuns(
  tx: Tx,
  ids: readonly string[],
  { by, why, text }: { by: string; why: string; text: string },
): Promise<void> {
  const at = new Date().toISOString()
  const steps = [
    { kind: 'stopped', at, by, why },
    { kind: 'finished', at, outcome: 'stopped', text },
  ]
  for (const id of ids) {
    await voidApprovals(tx, id)
    await tx.query(
      `with ended as (
         update runs set n = n + 2, active = false, due_at = null, lease_until = null, finished_at = now()
         where id = $1 returning n)
       insert into steps (run, n, kind, body)
       select $1, e.n - 2 + s.at::int, s.step ->> 'kind', s.step
       from ended e, jsonb_array_elements($2::jsonb) with ordinality as s (step, at)`,
      [id, JSON.stringify(steps)],
    )
  }
}

/** Ends everything that is under way or waits in a workspace, and gives how many runs that was. */
export async function endWork(tx: Tx, workspace: string, why: string): Promise<number> {
  const { rows } = await tx.query<{ id: string }>(
    'select id from runs where workspace = $1 and active order by id for update',
    [workspace],
  )
  const ids = rows.map((row) => row.id)
  await endRuns(tx, ids, { by: 'slack', why, text: `Stopped: ${why}.` })
  await tx.query('delete from wakeups where workspace = $1', [workspace])
  await tx.query('delete from inbox where workspace = $1 and handled_at is null', [workspace])
  return ids.length
}
