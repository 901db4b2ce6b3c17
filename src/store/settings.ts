/** What was settled for channels, and by whom. */
import { Settings } from '../core/settings.ts'
import { asJson } from './json.ts'
import type { Db } from './transaction.ts'

export type Settled = { settings: Settings; by: string; at: string }

/** What holds in a channel; undefined where nobody settled anything. */
export async function findSettings(db: Db, workspace: string, channel: string): Promise<Settled | undefined> {
  const found = await db.query<{ settings: unknown; changed_by: string; changed_at: Date }>(
    `select settings, changed_by, changed_at from settings where workspace = $1 and channel = $2
     order by id desc limit 1`,
    [workspace, channel],
  )
  const row = found.rows[0]
  return (
    row && { settings: Settings.parse(row.settings), by: row.changed_by, at: row.changed_at.toISOString() }
  )
}

/** Holds from now on; what held before is kept with who changed it. */
export async function addSettings(
  db: Db,
  place: { workspace: string; channel: string; by: string },
  settings: Settings,
): Promise<void> {
  await db.query('insert into settings (workspace, channel, settings, changed_by) values ($1, $2, $3, $4)', [
    place.workspace,
    place.channel,
    asJson(settings),
    place.by,
  ])
}
