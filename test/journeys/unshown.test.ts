/** What a process that died left unshown is shown by another. */
import { expect, test } from 'vitest'
import { writeWakeup } from '../../src/store/runs.ts'
import { openStage, until } from '../support/stage.ts'
import { modern } from '../support/tools.ts'

test('a run that ended while its plan said otherwise: the wake-up that is left closes the plan', async () => {
  await using stage = await openStage({ model: { text: 'Yes.' } })
  const { workspace, engines } = stage
  const channel = workspace.channels.general
  const { ts } = await stage.ask('@quorum are you there?')
  const closed = () =>
    workspace.messages(channel, ts).find((m) => JSON.stringify(m.blocks ?? []).includes('"trace"'))
  const plan = await workspace.until(closed)
  await stage.stop()
  const response = await fetch(`${workspace.apiUrl}chat.update`, {
    method: 'POST',
    headers: { authorization: `Bearer ${workspace.botToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ channel, ts: plan.ts, text: 'Working on it', blocks: [] }),
  })
  expect(await response.json()).toMatchObject({ ok: true })
  expect(closed()).toBeUndefined()
  const { rows } = await engines.store.pool.query('select id from runs')
  await writeWakeup(engines.store.pool, rows[0].id)
  await stage.restart()
  await workspace.until(closed)
  expect(stage.said(channel, ts)).toHaveLength(2)
  await until(async () => (await engines.store.pool.query('select from wakeups')).rowCount === 0)
})

test('a card that was never recorded, and is decided on all the same, loses its buttons', async () => {
  await using stage = await openStage({
    servers: { modern: modern() },
    model: ({ body }) =>
      body.messages.some((m) => m.role === 'tool')
        ? { text: 'So be it.' }
        : { calls: [{ name: 'modern__sum', args: { a: 1, b: 2 } }] },
  })
  const { workspace, engines } = stage
  const channel = workspace.channels.general
  const ts = await workspace.say(workspace.users.ana, channel, '@quorum add')
  const card = await stage.card(channel, ts)
  await until(async () => (await engines.store.pool.query('select from wakeups')).rowCount === 0)
  await engines.store.pool.query(`update posts set ts = null where part like 'card-%'`)
  await workspace.click(workspace.users.ana, channel, card, 'approve')
  await stage.ended(channel, ts)
  await workspace.until(() => {
    const shown = workspace.messages(channel, ts).find((m) => m.ts === card)
    return shown && !JSON.stringify(shown.blocks).includes('"approve"')
  })
  expect(stage.said(channel, ts).filter((text) => text === 'So be it.')).toHaveLength(1)
})
