import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { feedbackDoor } from '../../src/doors/feedback.ts'
import { explainRating, rateRun } from '../../src/store/feedback.ts'
import { openStage, type Stage, until } from '../support/stage.ts'

describe('people say what they think of an answer', () => {
  let stage: Stage
  let channel: string
  beforeAll(async () => {
    stage = await openStage({ model: { text: 'The mast is 12 m high.' } })
    channel = stage.workspace.channels.general
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  let answer: string
  let run: string
  beforeEach(async () => {
    const { workspace, engines } = stage
    const { ts } = await stage.ask('@quorum how high is the mast?')
    const found = workspace.messages(channel, ts).findLast((m) => m.text?.includes('12 m'))
    answer = found?.ts ?? ''
    const { rows } = await engines.store.pool.query('select id from runs where message = $1', [ts])
    run = rows[0].id
  })

  const press = (user: string, rating: 'up' | 'down') =>
    stage.workspace.click(user, channel, answer, 'feedback', `${rating} ${run}`)

  async function kept(where: (rows: Record<string, unknown>[]) => boolean) {
    return until(async () => {
      const { rows } = await stage.engines.store.pool.query(
        `select person, signal, category, note, workspace from feedback where run = $1 and signal in ('up', 'down')
         order by person`,
        [run],
      )
      return where(rows) ? rows : undefined
    })
  }

  test('a thumb up is kept for its person, and asks nothing', async () => {
    const { workspace } = stage
    await press(workspace.users.ben, 'up')
    expect(await kept((rows) => rows.length === 1)).toMatchObject([
      { person: workspace.users.ben, signal: 'up', category: null, workspace: workspace.team },
    ])
    expect(workspace.views(workspace.users.ben)).toEqual([])
  })

  test('a thumb down opens the modal before anything else, and counts although it is closed', async () => {
    const { workspace } = stage
    const { ana } = workspace.users
    await press(ana, 'down')
    const view = await workspace.until(() => workspace.views(ana).at(-1))
    expect(view.callback_id).toBe('feedback')
    expect(await kept((rows) => rows.length === 1)).toMatchObject([
      { person: ana, signal: 'down', note: null },
    ])
    const calls = workspace.calls.map((call) => call.method)
    expect(calls.slice(calls.lastIndexOf('views.open') + 1)).not.toContain('chat.postMessage')
    await workspace.submit(ana, view.id, {
      category: { value: 'incomplete' },
      note: { value: 'It is 12 m\u0000 without the antenna.' },
    })
    expect(await kept((rows) => rows[0]?.category !== null)).toMatchObject([
      { person: ana, signal: 'down', category: 'incomplete', note: 'It is 12 m without the antenna.' },
    ])
    await workspace.until(() => workspace.ephemerals(ana).find((m) => m.text?.startsWith('Thank you')))
  })

  test('a second press changes it, and a thumb up takes back what was wrong', async () => {
    const { workspace } = stage
    const { ana, ben } = workspace.users
    await press(ana, 'down')
    const view = await workspace.until(() => workspace.views(ana).at(-1))
    await workspace.submit(ana, view.id, { category: { value: 'wrong' } })
    await kept((rows) => rows[0]?.category === 'wrong')
    await press(ben, 'up')
    await press(ana, 'up')
    expect(await kept((rows) => rows.length === 2 && rows.every((row) => row.signal === 'up'))).toMatchObject(
      [{ person: ana, category: null, note: null }, { person: ben }],
    )
  })

  test('a thumb up after what was wrong counts, also where our clock is ahead of Slack’s', async () => {
    const { workspace, engines } = stage
    const { pool } = engines.store
    const of = { workspace: workspace.team, channel, run, person: workspace.users.ana }
    const slack = Date.now() / 1000 - 240
    expect(await rateRun(pool, of, 'down', slack)).toBe(true)
    expect(await explainRating(pool, of, { category: 'wrong', note: '' })).toBe(true)
    expect(await rateRun(pool, of, 'up', slack + 20)).toBe(true)
    expect(await kept((rows) => rows.length === 1)).toMatchObject([{ signal: 'up', category: null }])
    // An older press that comes late changes nothing.
    expect(await rateRun(pool, of, 'down', slack)).toBe(true)
    expect(await kept((rows) => rows.length === 1)).toMatchObject([{ signal: 'up' }])
  })

  test('where the store is away the modal still opens', async () => {
    const { workspace, engines } = stage
    const { ana } = workspace.users
    const { pool } = engines.store
    const back = Promise.withResolvers<void>()
    const query = pool.query.bind(pool)
    Object.assign(pool, {
      query: (...args: Parameters<typeof query>) => back.promise.then(() => query(...args)),
    })
    const pressed = press(ana, 'down').catch(() => undefined)
    await workspace.until(() => workspace.views(ana).at(-1)?.callback_id === 'feedback')
    back.resolve()
    await pressed
    Object.assign(pool, { query })
    expect(await kept((rows) => rows.length === 1)).toMatchObject([{ person: ana, signal: 'down' }])
  })

  /** What people showed without saying it, of this test's run. */
  async function shown(signal: string) {
    return until(async () => {
      const { rows } = await stage.engines.store.pool.query(
        'select person, signal from feedback where run = $1 and signal = $2',
        [run, signal],
      )
      return rows[0]
    })
  }

  test('asked again in other words within ten minutes, or reworded after the answer, it was rephrased', async () => {
    const { workspace } = stage
    const { ana } = workspace.users
    await stage.ask('@quorum the height of the mast, please?')
    expect(await shown('rephrased')).toEqual({ person: ana, signal: 'rephrased' })
    const { ts } = await stage.ask('@quorum where is the anchor?')
    const { pool } = stage.engines.store
    run = (await pool.query('select id from runs where message = $1', [ts])).rows[0].id
    await workspace.edit(ana, channel, ts, '@quorum where is the second anchor?')
    expect(await shown('rephrased')).toEqual({ person: ana, signal: 'rephrased' })
  })

  test('another question in the thread follows it up; a question elsewhere says nothing of it', async () => {
    const { workspace, engines } = stage
    const { ben } = workspace.users
    const { rows } = await engines.store.pool.query('select thread from runs where id = $1', [run])
    await workspace.say(ben, channel, '@quorum and the keel?', { thread: rows[0].thread })
    await stage.ended(channel, rows[0].thread, 2)
    expect(await shown('followed-up')).toEqual({ person: ben, signal: 'followed-up' })
    await stage.ask('@quorum who cooks on Friday?')
    const signals = await engines.store.pool.query('select signal from feedback where run = $1', [run])
    expect(signals.rows).toEqual([{ signal: 'followed-up' }])
  })

  test('all of it is listed in the terminal, the newest first', async () => {
    const { workspace, engines } = stage
    const { ana } = workspace.users
    await press(ana, 'down')
    const view = await workspace.until(() => workspace.views(ana).at(-1))
    await workspace.submit(ana, view.id, { category: { value: 'sources' }, note: { value: 'see\nthe log' } })
    await kept((rows) => rows[0]?.category === 'sources')
    const lines: string[] = []
    const door = (...args: string[]) =>
      feedbackDoor(args, { pool: engines.store.pool, print: (line) => lines.push(line) })
    expect(await door('--down')).toBe(0)
    expect(lines[0]).toMatch(
      new RegExp(`down +${run.slice(0, 8)}  ${channel}  ${ana}  “how high is the mast\\?”`),
    )
    expect(lines[0]).toContain('Its sources are wrong, missing or out of date (see the log)')
    expect(await door('--since', 'ever')).toBe(2)
    lines.length = 0
    await door('--json', '--since', '1d')
    const { rows } = JSON.parse(lines[0] ?? '')
    expect(new Set(rows.map((row: { signal: string }) => row.signal))).toContain('followed-up')
  })
})
