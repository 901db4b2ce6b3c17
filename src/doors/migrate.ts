/** `quorum migrate`: brings the database to this version. */
import { migrate } from '../store/migrate.ts'
import { openStore } from '../store/open.ts'
import { openLog } from '../telemetry/log.ts'
import { readEnv } from './environment.ts'
import { print } from './print.ts'

/** Answers the exit code. Safe while others start: one migrates, the others wait. */
export async function migrateDoor(_: string[]): Promise<number> {
  const env = readEnv()
  const { logger } = openLog(env.LOG_LEVEL)
  await using store = await openStore({
    databaseUrl: env.DATABASE_URL,
    dataDir: env.QUORUM_DATA,
    log: logger,
  })
  const applied = await migrate(store.pool)
  print(
    applied.length === 0
      ? 'Nothing to do: the database is at this version.'
      : `Applied: ${applied.join(', ')}`,
  )
  return 0
}
