import pg from 'pg'
import { expect, test } from 'vitest'
import { openWorkspace } from '../../src/demo/workspace/open.ts'
import { startCommand } from '../support/command.ts'
import { makeHome } from '../support/home.ts'
import { openModelServer } from '../support/model-server.ts'
import { until } from '../support/stage.ts'
import { openTestDatabaseServer } from '../support/store.ts'

/** A Slack that gives nothing up because the machine is busy. */
const PATIENT = { ackMs: 20_000, retryWaits: [0, 1_000, 2_000, 5_000, 10_000, 20_000, 20_000] }

test('killed again and again while it reads, it loses nothing, doubles nothing and tells the channel once', {
  timeout: 300_000,
}, async () => {
  await using database = await openTestDatabaseServer()
  await using model = await openModelServer(() => ({ text: 'Hello.' }))
  await using workspace = await openWorkspace({ unlistedMs: 1_500, ...PATIENT })
  const { ana, ben } = workspace.users
  const { ops } = workspace.channels
  for (let n = 1; n <= 60; n++) {
    const root = await workspace.say(ana, ops, `Remark number ${n}.`)
    if (n % 20 === 0) await workspace.say(ben, ops, `Reply to number ${n}.`, { thread: root })
  }
  await using home = await makeHome({
    'sources.yaml': JSON.stringify({ sources: { chat: { slack: { channels: [ops] } } } }),
    'models.yaml': JSON.stringify({
      pools: { main: { model: 'test', replicas: [model.url] } },
      embeddings: { url: model.url, model: 'test-embed', dimensions: 8 },
    }),
  })
  const env = {
    ...{
      SLACK_BOT_TOKEN: workspace.botToken,
      SLACK_APP_TOKEN: workspace.appToken,
      SLACK_API_URL: workspace.apiUrl,
    },
    ...{ DATABASE_URL: database.url, QUORUM_HOME: home.dir, PORT: '0', LOG_LEVEL: 'warn' },
  }
  const pool = new pg.Pool({ connectionString: database.url, max: 2 })
  const count = async (sql: string) =>
    (await pool.query<{ n: number }>(`select count(*)::int as n ${sql}`)).rows[0]?.n ?? 0
  const turns = () => count('from turns where gone_at is null').catch(() => 0)
  let kept = 0
  for (let life = 1; life <= 2; life++) {
    const process = startCommand(['start'], { cwd: home.dir, env })
    const before = kept
    await until(async () => (await turns()) > before, 120_000)
    process.signal('SIGKILL')
    await process.ended
    kept = await turns()
  }
  const last = startCommand(['start'], { cwd: home.dir, env })
  await until(async () => {
    const busy = await count(
      `from (select 1 from walks union all select 1 from rewrites union all select 1 from threads where due_at is not null) x`,
    )
    return busy === 0 && (await turns()) >= 63
  }, 180_000)
  const { rows } = await pool.query<{ text: string }>('select text from passages')
  const text = rows.map((row) => row.text).join('\n')
  for (let n = 1; n <= 60; n++) expect(text.split(`Remark number ${n}.`)).toHaveLength(2)
  for (const n of [20, 40, 60]) expect(text.split(`Reply to number ${n}.`)).toHaveLength(2)
  expect(workspace.messages(ops).filter((message) => /^I read this channel/.test(message.text))).toHaveLength(
    1,
  )
  last.signal('SIGTERM')
  await last.ended
  await pool.end()
})
