/** What was settled for channels, and by whom. */
import { Settings } from '../core/settings.ts'
import { asJson } from './json.ts'
import type { Db, Tx } from './transaction.ts'

/** `id` names this state of the settings. */
export type Settled = { id: string; settings: Settings; by: string; at: string }

/** What holds in a channel; undefined where nobody settled anything. */
export async function findSettings(db: Db, workspace: string, channel: string): Promise<Settled | undefined> {
  const found = await db.query<{ id: string; settings: unknown; changed_by: string; changed_at: Date }>(
    `select s.id::text as id, settings, changed_by, changed_at from settings s where workspace = $1 and channel = $2
     order by s.id desc limit 1`,
    [workspace, channel],
  )
  const row = found.rows[0]
  if (!row) return undefined
  const { id, settings, changed_by: by, changed_at } = row
  return { id, settings: Settings.parse(settings), by, at: changed_at.toISOString() }
}

/**
 * Holds from now on; what held before is kept with who changed it. `after` is the state that whoever changes them has
 * seen, empty where there was none: false where somebody else was quicker, and then nothing is changed.
 */
export async function addSettings(
  tx: Tx,
  place: { workspace: string; channel: string; by: string; after: string },
  settings: Settings,
): Promise<boolean> {
  // Of two at the very same moment neither would see the other's row.
  await tx.query(`select pg_advisory_xact_lock(hashtextextended('settings ' || $1, 0))`, [
    JSON.stringify([place.workspace, place.channel]),
  ])
  const added = await tx.query(
    `insert into settings (workspace, channel, settings, changed_by) select $1, $2, $3, $4
     where coalesce((select max(id) from settings where workspace = $1 and channel = $2)::text, '') = $5`,
    [place.workspace, place.channel, asJson(settings), place.by, place.after],
  )
  return added.rowCount === 1
}
