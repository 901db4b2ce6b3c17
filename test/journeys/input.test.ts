/** A tool server that wants to know something in the middle of a call, and one that says how far it has come. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Script } from '../support/model-server.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { hostile, modern } from '../support/tools.ts'

const script: Script = ({ body }) => {
  const last = body.messages.at(-1)
  if (last?.role === 'tool') return { text: `Told: ${last.content}` }
  const [, tool = 'ask'] = /use (\w+)/.exec(JSON.stringify(last)) ?? []
  const [server, name] = tool.startsWith('old_') ? ['old', tool.slice(4)] : ['modern', tool]
  return { calls: [{ name: `${server}__${name}`, args: {} }] }
}

let stage: Stage
beforeAll(async () => {
  const policy = { '*__*': { decision: 'allow' } }
  stage = await openStage({ servers: { modern: modern(), old: hostile() }, policy, model: script })
})
afterAll(() => stage[Symbol.asyncDispose]())

async function ask(text: string) {
  const { workspace } = stage
  const channel = workspace.channels.general
  const ts = await workspace.say(workspace.users.ana, channel, `@quorum ${text}`)
  const found = await messageWith(ts, '"answer"')
  return { channel, ts, card: found.ts, shown: JSON.stringify(found.blocks) }
}

function messageWith(ts: string, part: string) {
  const { workspace } = stage
  return workspace.until(
    () =>
      workspace
        .messages(workspace.channels.general, ts)
        .findLast((m) => JSON.stringify(m.blocks ?? []).includes(part)),
    10_000,
  )
}

async function open(user: string, at: { channel: string; card: string }) {
  const { workspace } = stage
  const before = workspace.views(user).at(-1)?.id
  await workspace.click(user, at.channel, at.card, 'answer')
  const view = await workspace.until(() => workspace.views(user).find((one) => one.id !== before))
  return view.id
}

/** What App Home shows to a person now. */
async function homeFor(user: string): Promise<string> {
  await stage.workspace.openHome(user)
  return JSON.stringify(await until(async () => stage.workspace.home(user)))
}

const countOver = (user: string) =>
  stage.workspace.ephemerals(user).filter((m) => m.text?.includes('not waited for any more')).length

const field = (value: string, type = 'value') => ({ [type]: value })

test('a form: asked in the thread, checked, answered after a restart, and the call goes on with it', async () => {
  const { workspace } = stage
  const { ana, ben } = workspace.users
  const at = await ask('use ask')
  expect(at.shown).toContain('wants to know something')
  expect(at.shown).not.toContain('"type":"broadcast"')
  expect(await homeFor(ana)).toContain('"Open the question"')
  expect(await homeFor(ben)).not.toContain('Waiting for your answer')
  await stage.restart()
  await workspace.click(ben, at.channel, at.card, 'answer')
  await until(async () => workspace.ephemerals(ben).some((m) => m.text?.includes('for whoever asked')))

  const view = await open(ana, at)
  const wrong = { 'arg:sure': field('true'), 'arg:name': field('x'), 'arg:count': field('3') }
  await expect(workspace.submit(ana, view, wrong)).rejects.toThrow(/fewer than 2 characters/)
  await workspace.submit(ana, view, { ...wrong, 'arg:name': field('Ana') })
  await stage.ended(at.channel, at.ts)
  expect(stage.said(at.channel, at.ts).at(-1)).toContain(
    'Given: {"action":"accept","content":{"name":"Ana","sure":true,"count":3}}',
  )
  const shown = workspace.messages(at.channel, at.ts).find((m) => m.ts === at.card)
  expect(JSON.stringify(shown?.blocks)).toMatch(/Answered\./)
  expect(JSON.stringify(shown?.blocks)).not.toContain('"answer"')
})

test('Decline is told to the server, once, also when it is pressed twice', async () => {
  const { workspace } = stage
  const at = await ask('use ask')
  const press = () => workspace.click(workspace.users.ana, at.channel, at.card, 'decline')
  await Promise.allSettled([press(), press()])
  await stage.ended(at.channel, at.ts)
  expect(stage.said(at.channel, at.ts).at(-1)).toContain('Given: {"action":"decline"}')
})

test('an address is shown in full, opened by the person, and confirmed', async () => {
  const { workspace } = stage
  const at = await ask('use visit')
  expect(at.shown).toContain('"url":"https://sign.example/x"')
  expect(at.shown).toContain('Open sign.example')
  await workspace.submit(workspace.users.ana, await open(workspace.users.ana, at), {})
  await stage.ended(at.channel, at.ts)
  expect(stage.said(at.channel, at.ts).at(-1)).toContain('{"page":{"action":"accept"}}')
})

test('every kind of field: shown as what it is, held to its schema field by field, sent as what it means', async () => {
  const { workspace } = stage
  const { ana } = workspace.users
  const at = await ask('use survey')
  const view = await open(ana, at)
  const fields = Object.fromEntries(
    (workspace.views(ana).at(-1)?.blocks ?? []).flatMap((block) =>
      block.type === 'input' ? [[String(block.block_id).slice(4), Object(block.element).type]] : [],
    ),
  )
  expect(fields).toEqual({
    tags: 'checkboxes',
    teams: 'multi_static_select',
    place: 'static_select',
    size: 'static_select',
    day: 'datepicker',
    when: 'datetimepicker',
    mail: 'email_text_input',
    page: 'url_text_input',
    count: 'plain_text_input',
    code: 'plain_text_input',
    essay: 'plain_text_input',
  })
  expect(JSON.stringify(workspace.views(ana).at(-1))).toContain('cannot be shown, so it is not filled in')
  const right = {
    'arg:tags': { value: ['"a"', '"c"'] },
    'arg:place': field('"eu"'),
    'arg:size': field('"l"'),
    'arg:day': field('2026-11-30'),
    'arg:when': { value: 1_800_000_000 },
    'arg:mail': field('ana@example.com'),
    'arg:page': field('https://example.com/x'),
    'arg:count': field('9'),
    'arg:code': field('AB'),
  }
  const refused = async (values: object, words: RegExp) =>
    expect(workspace.submit(ana, view, { ...right, ...values })).rejects.toThrow(words)
  await refused(
    { 'arg:count': field('10'), 'arg:code': field('abcde') },
    /must NOT have more than 4 characters.*must be <= 9/,
  )
  await refused({ 'arg:tags': { value: ['"a"', '"b"', '"c"'] } }, /NOT have more than 2 items/)
  await refused({ 'arg:mail': field('ana') }, /name@example.com/)
  await refused({ 'arg:page': field('javascript:x') }, /web address/)
  await workspace.submit(ana, view, right)
  await stage.ended(at.channel, at.ts)
  const { rows } = await stage.engines.store.pool.query<{ text: string }>(
    `select body->>'text' as text from steps where body->>'kind' = 'returned' and body->>'text' like '{"q"%'`,
  )
  expect(JSON.parse(rows[0]?.text ?? '')).toEqual({
    q: {
      action: 'accept',
      content: {
        tags: ['a', 'c'],
        teams: ['t3', 't1'],
        place: 'eu',
        size: 'l',
        day: '2026-11-30',
        when: '2027-01-15T08:00:00Z',
        mail: 'ana@example.com',
        page: 'https://example.com/x',
        count: 9,
        code: 'AB',
      },
    },
  })
})

test('more fields than a form holds: the person is told, and may decline', async () => {
  const { workspace } = stage
  const { ana } = workspace.users
  const at = await ask('use flood')
  const before = workspace.views(ana).length
  await workspace.click(ana, at.channel, at.card, 'answer')
  await until(async () =>
    workspace.ephemerals(ana).some((m) => m.text?.includes('more than a form in Slack holds')),
  )
  expect(workspace.views(ana)).toHaveLength(before)
  await workspace.click(ana, at.channel, at.card, 'decline')
  await stage.ended(at.channel, at.ts)
  expect(stage.said(at.channel, at.ts).at(-1)).toContain('{"action":"decline"}')
})

test('what was filled in for one question is no answer to the next one', async () => {
  const { workspace } = stage
  const { ana } = workspace.users
  const at = await ask('use nag')
  const stale = await open(ana, at)
  await workspace.click(ana, at.channel, at.card, 'decline')
  await workspace.until(
    () =>
      workspace
        .messages(at.channel, at.ts)
        .find((m) => m.ts > at.card && JSON.stringify(m.blocks ?? []).includes('"answer"')),
    10_000,
  )
  const told = countOver(ana)
  await workspace.submit(ana, stale, { 'arg:more': field('stale') })
  await until(async () => countOver(ana) === told + 1)
  const given = await stage.engines.store.pool.query(
    `select body from steps where body::text like '%"stale"%'`,
  )
  expect(given.rowCount).toBe(0)
  await workspace.say(ana, at.channel, '@quorum stop', { thread: at.ts })
  await stage.ended(at.channel, at.ts)
})

test('a server that asks without end is not called for ever', async () => {
  const { workspace } = stage
  const { ana } = workspace.users
  const first = await ask('use nag')
  for (let round = 1, card = first.card; round <= 5; round++) {
    const view = await open(ana, { ...first, card })
    await workspace.submit(ana, view, { 'arg:more': field('more') })
    if (round === 5) break
    const next = await workspace.until(
      () =>
        workspace
          .messages(first.channel, first.ts)
          .find((m) => m.ts > card && JSON.stringify(m.blocks ?? []).includes('"answer"')),
      10_000,
    )
    card = next.ts
  }
  await stage.ended(first.channel, first.ts)
  expect(stage.said(first.channel, first.ts).at(-1)).toContain('kept asking')
})

test('stopped while it asks: the question is closed, and a late answer says so', async () => {
  const { workspace } = stage
  const { ana } = workspace.users
  const at = await ask('use ask')
  const view = await open(ana, at)
  await workspace.say(ana, at.channel, '@quorum stop', { thread: at.ts })
  await stage.ended(at.channel, at.ts)
  const values = { 'arg:sure': field('true'), 'arg:name': field('Ana'), 'arg:count': field('3') }
  const told = countOver(ana)
  await workspace.submit(ana, view, values)
  await until(async () => countOver(ana) === told + 1)
})

test('progress is shown in the plan while a call runs, and kept nowhere', async () => {
  const { workspace } = stage
  const channel = workspace.channels.general
  const ts = await workspace.say(workspace.users.ana, channel, '@quorum use slow')
  await messageWith(ts, 'Slow: ')
  const plan = JSON.stringify((await messageWith(ts, 'of 4, page')).blocks)
  expect(plan).toMatch(/Slow: \d of 4, page \d/)
  await stage.ended(channel, ts)
  const steps = await stage.engines.store.pool.query(`select body from steps where body::text like '%of 4%'`)
  expect(steps.rowCount).toBe(0)
})

test('stopped while a tool runs: the call is aborted, and the thread is told that it may have run', async () => {
  const { workspace } = stage
  const channel = workspace.channels.general
  const { ana } = workspace.users
  const ts = await workspace.say(ana, channel, '@quorum use slow')
  await messageWith(ts, 'of 4, page')
  await workspace.interrupt(ana, channel, ts)
  await stage.ended(channel, ts)
  await workspace.until(() => workspace.session(channel, ts) === 'active')
  // On a machine so slow that the tool was quicker than the Stop, it was done.
  expect(stage.said(channel, ts).at(-1)).toMatch(
    /^Stopped\. (Not done: slow \(may have run; please check\)|Done before that: slow)\.$/,
  )
})

test('an older server that asks is told cancel; the model, the plan and the trace say what it wanted to know', async () => {
  const { workspace } = stage
  const channel = workspace.channels.general
  const ts = await workspace.say(workspace.users.ana, channel, '@quorum use old_asks')
  await stage.ended(channel, ts)
  const answer = stage.said(channel, ts).at(-1)
  expect(answer).toContain('the server asked: “Which branch?”')
  expect(answer).toContain('{"action":"cancel"}')
  const plan = await messageWith(ts, '"trace"')
  expect(JSON.stringify(plan.blocks)).toContain('asks (it asked “Which branch?” and was told cancel)')
  await workspace.click(workspace.users.ana, channel, plan.ts, 'trace')
  const trace = await workspace.until(() => workspace.views(workspace.users.ana).at(-1))
  expect(JSON.stringify(trace.blocks)).toContain('told cancel when it asked: “Which branch?”')
})

test('a call that a person ran without a model says what its server wanted to know', async () => {
  const { workspace } = stage
  const channel = workspace.channels.general
  const message = '`closed` <!channel>\u202e\n*x*'
  const ts = await workspace.say(
    workspace.users.ana,
    channel,
    `@quorum run old__asks ${JSON.stringify({ message })}`,
  )
  await stage.ended(channel, ts)
  const blocks = JSON.stringify(workspace.messages(channel, ts).at(-1)?.blocks)
  expect(blocks).toContain('the server asked: “`closed` @channel *x*”')
  expect(blocks).not.toMatch(/"broadcast"|\u202e/)
})
