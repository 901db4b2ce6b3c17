/** Knowledge with audiences, for stages. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ingest } from '../../src/agent/knowledge/ingest.ts'
import type { Stage } from './stage.ts'
import { makeTemporary } from './temporary.ts'

/** Three sources: for everyone, for a private channel of Ana and Ben, for #partners. Gives the private channel. */
export async function stock(stage: Stage): Promise<string> {
  await using temporary = await makeTemporary()
  const { pool } = stage.engines.store
  const { team, channels, users } = stage.workspace
  const plan = stage.workspace.createChannel('plan', [users.ana, users.ben], { private: true })
  const shelves = { company: 'everyone', secret: [plan], shared: [channels.partners] } as const
  for (const [name, audience] of Object.entries(shelves)) {
    await mkdir(path.join(temporary.dir, name))
    await writeFile(
      path.join(temporary.dir, name, 'page.md'),
      `# Lighthouse\n\nThe ${name} lighthouse is red.\n`,
    )
    const source = { directory: name, audience: audience === 'everyone' ? audience : [...audience] }
    await ingest({ pool, home: temporary.dir }, team, name, source as Parameters<typeof ingest>[3])
  }
  return plan
}
