/** Questions that wait in the store, without Slack. */
import type pg from 'pg'
import { createRun, type Lane } from '../../src/store/runs.ts'

let asked = 0

/** Asks as `person` in a thread of its own, and gives the run. */
export async function ask(
  pool: pg.Pool,
  person: string,
  { lane = 'interactive', workspace = 'T1' }: { lane?: Lane; workspace?: string } = {},
): Promise<string> {
  const ts = `${++asked}.0`
  const run = await createRun(
    pool,
    { workspace, channel: 'C1', thread: ts, message: ts, asker: person, agent: 'quorum', dm: false, lane },
    { kind: 'asked', at: new Date().toISOString(), user: person, text: 'A question?', ts },
  )
  if (!run) throw new Error('the message had a run already')
  return run.id
}
