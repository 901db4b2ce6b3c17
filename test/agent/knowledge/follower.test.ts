import { expect, test } from 'vitest'
import { forgetOtherSources } from '../../../src/store/documents.ts'
import { inTransaction } from '../../../src/store/transaction.ts'
import { forgetTurnsOf } from '../../../src/store/turns.ts'
import { everywhere, openStand } from '../../support/following.ts'
import { until } from '../../support/stage.ts'

const LONG = { timeout: 300_000 }
const ANNOUNCED = /^I read this channel from now on, and the last 90 days of it/

test('what was said before is read: a thread is a document, and so is a talk', LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, settled, documents } = stand
  const { ana, ben } = workspace.users
  const { ops } = workspace.channels
  const root = await workspace.say(ana, ops, 'The billing deploy hangs at migration 42, who knows why?')
  const reply = await workspace.say(ben, ops, 'It waits for a lock; kill the reporting job.', {
    thread: root,
  })
  await workspace.say(ana, ops, 'Lunch at twelve?')
  await workspace.say(ben, ops, 'Yes.')
  await follow()
  await settled()
  const [spoken, thread, ...more] = await documents()
  expect(more).toEqual([])
  expect(spoken).toMatchObject({ title: '#ops: Lunch at twelve?', scopes: [`channel:${ops}`] })
  expect(spoken?.text).toMatch(/^Ana, \d{4}-\d\d-\d\d \d\d:\d\d: Lunch at twelve\?\nBen, \d\d:\d\d: Yes\.$/)
  expect(thread).toMatchObject({
    path: `${ops}/thread/${root}`,
    title: '#ops: The billing deploy hangs at migration 42, who knows why?',
    scopes: [`channel:${ops}`],
    link: `${workspace.url}/archives/${ops}/p${root.replace('.', '')}`,
  })
  expect(thread?.text).toMatch(
    /^Ana, .*: The billing .*\nBen, \d\d:\d\d: It waits for a lock; kill the reporting job\.$/,
  )
  expect(reply > root).toBe(true)
  const holdings = () =>
    stand.store.pool.query('select source, sum(passages)::int as passages from holdings group by 1')
  await until(async () => (await holdings()).rows.length > 0)
  expect((await holdings()).rows).toEqual([{ source: 'chat', passages: 2 }])
})

test(
  'what is said is followed: new words, replies, edits, deletions, and a root that leaves its replies',
  LONG,
  async () => {
    await using stand = await openStand()
    const { workspace, follow, settled, texts } = stand
    const { ana, ben } = workspace.users
    const { ops } = workspace.channels
    await follow()
    await settled()
    const root = await workspace.say(ana, ops, 'Who has the pager this week?')
    const second = await workspace.say(ben, ops, 'And the one after?')
    expect(await texts()).toEqual([expect.stringMatching(/pager this week\?\nBen, .*: And the one after\?$/)])
    const reply = await workspace.say(ben, ops, 'Chloe has it.', { thread: root })
    expect(await texts()).toEqual([
      expect.stringMatching(/^Ben, .*: And the one after\?$/),
      expect.stringMatching(/pager this week\?\nBen, .*: Chloe has it\.$/),
    ])
    await workspace.edit(ben, ops, reply, 'Gil has it, from Tuesday.')
    expect((await texts())[1]).toMatch(/Ben, .*: Gil has it, from Tuesday\.$/)
    await workspace.remove(ben, ops, second)
    expect(await texts()).toHaveLength(1)
    await workspace.remove(ana, ops, root)
    expect(await texts()).toEqual([expect.stringMatching(/^Ben, .*: Gil has it, from Tuesday\.$/)])
    await workspace.remove(ben, ops, reply)
    expect(await texts()).toEqual([])
    expect((await stand.store.pool.query('select 1 from passages')).rows).toEqual([])
    const kept = await stand.store.pool.query<{ text: string; author: string }>(
      'select text, author from turns',
    )
    expect(kept.rows.every((row) => row.text === '' && row.author === '')).toBe(true)
  },
)

test('a passage links to its first message', LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, settled } = stand
  const { ana, ben } = workspace.users
  const { ops } = workspace.channels
  const root = await workspace.say(ana, ops, 'How do we roll back?')
  const long = 'Take the last green build, then run the script that the runbook names. '.repeat(9)
  const [first, second] = [
    await workspace.say(ben, ops, `First of all: ${long}`, { thread: root }),
    await workspace.say(ben, ops, `After that: ${long}`, { thread: root }),
  ]
  await follow()
  await settled()
  const { rows } = await stand.store.pool.query<{ link: string; text: string }>(
    'select link, text from passages order by n',
  )
  const link = (ts: string) => new RegExp(`/archives/${ops}/p${ts.replace('.', '')}`)
  const of = (words: string) => rows.find((row) => row.text.includes(words))?.link
  expect(of('How do we')).toMatch(link(root))
  expect(of('After that')).toMatch(new RegExp(`${link(second).source}\\?thread_ts=${root}&cid=${ops}$`))
  expect([first, root].some((ts) => link(ts).test(of('First of all') ?? ''))).toBe(true)
})

test(
  'left out is what Slack and we say, and what is said to us; apps count where people talk about it',
  LONG,
  async () => {
    await using stand = await openStand()
    const { workspace, follow, settled, texts } = stand
    const { ana, ben } = workspace.users
    const { ops } = workspace.channels
    await workspace.sayAs('deploys', ops, 'web 1.4.2 is live')
    const alarm = await workspace.sayAs('alarms', ops, 'Disk of db-2 is at 95 %')
    await workspace.say(ana, ops, '@quorum how do we free disk space?')
    await follow()
    await settled()
    expect(await texts()).toEqual([])
    expect(workspace.messages(ops).filter((message) => ANNOUNCED.test(message.text))).toHaveLength(1)
    await workspace.say(ben, ops, 'Rotated the logs, @quorum take note.', { thread: alarm })
    expect(await texts()).toEqual([
      expect.stringMatching(
        /^alarms \(app\), .*: Disk of db-2 is at 95 %\nBen, .*: Rotated the logs, @Quorum take note\.$/,
      ),
    ])
  },
)

test('words are as people read them', LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, texts } = stand
  const { ana } = workspace.users
  const { ops } = workspace.channels
  await workspace.say(
    ana,
    ops,
    'Ask @ben in #random :wave: & see https://wiki.example/a?b=1&c=2\n```\nif (a < b) retry()\n```',
  )
  const file = {
    id: 'F1',
    name: 'plan.txt',
    title: 'The plan',
    mode: 'snippet',
    preview: 'Step one: breathe.',
  }
  await workspace.say(ana, ops, 'Here it is', { files: [file] })
  const linked = await workspace.say(ana, ops, 'Read this')
  await workspace.unfurl(ops, linked)
  await follow()
  const [text = ''] = await texts()
  expect(text).toContain('Ask @Ben in #C0RANDOM :wave: & see https://wiki.example/a?b=1&c=2')
  expect(text).toContain('```\nif (a < b) retry()\n```')
  expect(text).toContain('Here it is\n[file: The plan]\nStep one: breathe.')
  expect(text).toContain('Read this\n> A page\n> What the page says.')
})

test('what happened while nobody listened is caught up with', LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, rest, absent, settled, texts } = stand
  const { ana, ben } = workspace.users
  const { ops } = workspace.channels
  const root = await workspace.say(ana, ops, 'Which region is the standby?')
  const wrong = await workspace.say(ben, ops, 'Frankfurt.', { thread: root })
  const gone = await workspace.say(ben, ops, 'The old password was hunter2.', { thread: root })
  await follow()
  await settled()
  await rest()
  const later = await workspace.say(ana, ops, 'Standup is at ten from Monday.')
  await workspace.edit(ben, ops, wrong, 'Dublin.')
  await workspace.remove(ben, ops, gone)
  await workspace.say(ana, ops, 'Thanks!', { thread: root })
  await absent(5)
  await follow()
  expect(await texts()).toEqual([
    expect.stringMatching(/^Ana, .*: Standup is at ten from Monday\.$/),
    expect.stringMatching(/standby\?\nBen, .*: Dublin\.\nAna, .*: Thanks!$/),
  ])
  await rest()
  await workspace.remove(ana, ops, later)
  await absent(5)
  await follow()
  expect(await texts()).toHaveLength(1)
})

test('an app held to 15 messages at a time reads all of them, at the pace it is given', LONG, async () => {
  await using stand = await openStand({ unlistedMs: 1_000 })
  const { workspace, follow, settled, documents } = stand
  const { ana } = workspace.users
  const { ops } = workspace.channels
  for (let n = 1; n <= 40; n++) await workspace.say(ana, ops, `Remark number ${n}`)
  await follow()
  await settled()
  const text = (await documents()).map((one) => one.text).join('\n')
  for (let n = 1; n <= 40; n++) expect(text).toContain(`Remark number ${n}`)
  const limited = workspace.calls.filter(
    ({ method, error }) => /history/.test(method) && error === 'ratelimited',
  )
  expect(limited.length).toBeLessThan(10)
})

test('ended in the middle and begun again, nothing is lost and nothing is doubled', LONG, async () => {
  await using stand = await openStand({ unlistedMs: 1_000 })
  const { workspace, follow, rest, settled, documents } = stand
  const { ana } = workspace.users
  const { ops } = workspace.channels
  for (let n = 1; n <= 50; n++) await workspace.say(ana, ops, `Remark number ${n}.`)
  await follow({ chat: { slack: { channels: [ops], since: '90d' } } })
  await until(async () => {
    const { rows } = await stand.store.pool.query<{ n: number }>('select count(*)::int as n from turns')
    return (rows[0]?.n ?? 0) > 10
  }, 120_000)
  await rest()
  const half = await stand.store.pool.query('select 1 from walks where at is not null')
  expect(half.rows).toHaveLength(1)
  await follow({ chat: { slack: { channels: [ops], since: '90d' } } })
  await settled()
  const text = (await documents()).map((one) => one.text).join('\n')
  for (let n = 1; n <= 50; n++) expect(text.split(`Remark number ${n}.`)).toHaveLength(2)
})

test('a channel is told once; only channels that are named are read', LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, rest, settled, texts } = stand
  const { ana } = workspace.users
  const { ops, general } = workspace.channels
  const named = { chat: { slack: { channels: [ops, 'C0RANDOM'], since: '90d' } } }
  await follow(named)
  await settled()
  await rest()
  await follow(named)
  await workspace.say(ana, general, 'The safe opens with 1234.')
  await workspace.say(ana, ops, 'The kettle is broken.')
  expect(await texts()).toEqual([expect.stringMatching(/kettle/)])
  const { rows } = await stand.store.pool.query('select 1 from turns where channel <> $1', [ops])
  expect(rows).toEqual([])
  const told = (channel: string) =>
    workspace.messages(channel).filter(({ text }) => ANNOUNCED.test(text)).length
  expect([told(ops), told(general)]).toEqual([1, 0])
  expect(stand.log).toEqual(Array(2).fill(expect.stringContaining('invite it there')))
})

test('another name, an archive, a source taken out', LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, rest, settled, texts, documents } = stand
  const { ana } = workspace.users
  const { ops } = workspace.channels
  await workspace.say(ana, ops, 'The kettle is broken.')
  await follow()
  await settled()
  await workspace.rename(ops, 'operations')
  await until(async () => (await documents())[0]?.title === '#operations: The kettle is broken.')
  await workspace.archive(ops, true)
  await until(async () => {
    const { rows } = await stand.store.pool.query(`select 1 from followed where state = 'archived'`)
    return rows.length === 1
  })
  expect(await texts()).toHaveLength(1)
  await rest()
  await follow({})
  await until(async () => {
    const { rows } = await stand.store.pool.query('select 1 from followed')
    return rows.length === 0
  })
  expect(await documents()).toEqual([])
  for (const table of ['turns', 'threads', 'walks', 'rewrites'])
    expect((await stand.store.pool.query(`select 1 from ${table}`)).rows).toEqual([])
})

test('a channel that goes over to another source takes its documents along', LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, rest, settled, texts } = stand
  const { ana } = workspace.users
  const { ops } = workspace.channels
  const kettle = await workspace.say(ana, ops, 'The kettle is broken.')
  await follow()
  await settled()
  const kept = async () =>
    (
      await stand.store.pool.query<{ source: string; id: string }>(
        'select d.source, p.id from documents d join passages p on p.document = d.id',
      )
    ).rows
  const [before] = await kept()
  await rest()
  await follow({ talk: { slack: { channels: [ops], since: '90d' } }, ...everywhere() })
  await until(async () => (await kept())[0]?.source === 'talk')
  await settled()
  expect(await kept()).toEqual([{ source: 'talk', id: before?.id }])
  await workspace.remove(ana, ops, kettle)
  expect(await texts()).toEqual([])
})

test(
  'what was said is forgotten by whoever follows, not by whoever reads the other sources',
  LONG,
  async () => {
    await using stand = await openStand()
    const { workspace, follow, settled, texts, documents } = stand
    const { ana } = workspace.users
    const { ops } = workspace.channels
    await workspace.say(ana, ops, 'The kettle is broken.')
    const sources = everywhere()
    await follow(sources)
    await settled()
    expect(await forgetOtherSources(stand.store.pool, workspace.team, [])).toBe(0)
    expect(await texts()).toHaveLength(1)
    delete sources.chat
    await until(async () => (await documents()).length === 0)
    Object.assign(sources, everywhere())
    await until(async () => (await texts()).length === 1)
  },
)

test("a person's messages are forgotten, and the documents they stood in with them", LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, settled, texts } = stand
  const { ana, ben } = workspace.users
  const { ops } = workspace.channels
  const root = await workspace.say(ana, ops, 'Where is the spare key?')
  await workspace.say(ben, ops, 'Under the mat of number nine.', { thread: root })
  await follow()
  await settled()
  const forgotten = await inTransaction(stand.store.pool, (tx) => forgetTurnsOf(tx, workspace.team, ben))
  expect(forgotten).toBe(1)
  expect(await texts()).toEqual([expect.stringMatching(/^Ana, .*: Where is the spare key\?$/)])
})

test('what falls out of the time that is asked for is forgotten', LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, rest, settled, texts } = stand
  const { ana } = workspace.users
  const { ops } = workspace.channels
  await workspace.say(ana, ops, 'The kettle is broken.')
  await follow(everywhere('2d'))
  await settled()
  await rest()
  await stand.store.pool.query(`update turns set ts = (ts::numeric - 3 * 86400)::text`)
  await follow(everywhere('2d'))
  await until(async () => (await texts()).length === 0)
})

test('two that follow at once tell a channel once and read it once', LONG, async () => {
  await using stand = await openStand()
  const { workspace, follow, settled, texts } = stand
  const { ana } = workspace.users
  const { ops } = workspace.channels
  for (let n = 1; n <= 30; n++) await workspace.say(ana, ops, `Remark number ${n}.`)
  await follow(everywhere(), 2)
  await settled()
  await workspace.say(ana, ops, 'Remark number 31.')
  expect((await texts()).join('\n').match(/Remark number/g)).toHaveLength(31)
  expect(workspace.messages(ops).filter(({ text }) => ANNOUNCED.test(text))).toHaveLength(1)
  const read = workspace.calls.filter(({ method, args }) => /history/.test(method) && args.oldest)
  expect(read.filter(({ args }) => args.channel === ops)).toHaveLength(1)
})
