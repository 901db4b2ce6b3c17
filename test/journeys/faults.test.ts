import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { FRESH } from '../../src/core/breaker.ts'
import type { Reply } from '../support/model-server.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { modern } from '../support/tools.ts'

describe('whatever goes wrong, the thread says so in one sentence', () => {
  let stage: Stage
  beforeAll(async () => {
    const timers = { firstToken: '500ms', idle: '500ms', total: '5s' }
    stage = await openStage({ timers, patience: { quotes: '1s', end: '2s' } })
  })
  beforeEach(() => {
    // What one test did to the server's record is not the next one's matter.
    for (const pool of stage.engines.models.pools) for (const one of pool.replicas) one.breaker = FRESH
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  test.each<[string, Reply, RegExp]>([
    ['a cut stream', { fault: 'cut', text: 'Half an ans' }, /cut off, twice/],
    ['a stall before the first token', { fault: 'stall-before' }, /stopped|reach/],
    ['a stall in the middle', { fault: 'stall-after', text: 'Half' }, /stopped in the middle/],
    ['a reset', { fault: 'reset', text: 'Half' }, /cut off, twice/],
    ['an error in the stream', { fault: 'error-chunk', text: 'Half' }, /cut off|overloaded/],
    ['HTML instead of an answer', { fault: 'html' }, /not an answer/],
    ['garbage instead of an answer', { fault: 'garbage' }, /not an answer/],
    ['an empty answer', { text: '' }, /not an answer/],
  ])('%s is retried once, then said', async (_, reply, sentence) => {
    const before = stage.model.requests.length
    stage.model.follow(() => reply)
    const { said } = await stage.ask('@quorum hello?')
    expect(stage.model.requests.length - before).toBe(2)
    expect(said.at(-1)).toMatch(sentence)
    expect(said.at(-1)).toMatch(/\(run [0-9a-f]{8}\)/)
    expect(said.at(-1)).not.toContain('Half')
  })

  test('a server that is overloaded, or not there, is waited for, and in the end that is said', async () => {
    for (const reply of [{ status: 503 }, { fault: 'hang-up' }] as const) {
      const before = stage.model.requests.length
      stage.model.follow(() => reply)
      const { said } = await stage.ask('@quorum hello?')
      expect(stage.model.requests.length - before).toBeGreaterThan(0)
      expect(said.at(-1)).toMatch(/(overloaded|cannot reach).*\(run [0-9a-f]{8}\)/)
    }
  })

  test('a refused request is said without a second try', async () => {
    const before = stage.model.requests.length
    stage.model.follow(() => ({ status: 401, body: { error: { message: 'no key' } } }))
    const { said } = await stage.ask('@quorum hello?')
    expect(stage.model.requests.length - before).toBe(1)
    expect(said.at(-1)).toMatch(/refused my request/)
  })

  test('once cut, then whole: the whole answer is said', async () => {
    stage.model.follow((_, n) => (n % 2 === 1 ? { fault: 'cut', text: 'Half' } : { text: 'Whole.' }))
    if (stage.model.requests.length % 2 === 1) stage.model.requests.push(stage.model.requests[0] as never)
    const { said } = await stage.ask('@quorum hello?')
    expect(said.at(-1)).toBe('Whole.')
  })

  test('a question of 200 kB is taken up and cut with a note', async () => {
    stage.model.follow(() => ({ text: 'Too long, but I read the beginning.' }))
    const { workspace } = stage
    const dm = workspace.dm(workspace.users.ana)
    const ts = await workspace.say(workspace.users.ana, dm, `Read this: ${'wave '.repeat(40_000)}`)
    await stage.ended(dm, ts)
    expect(stage.said(dm, ts).at(-1)).toContain('I read the beginning')
    const prompt = stage.model.requests.at(-1)?.body.messages.at(-1)?.content ?? ''
    expect(prompt.length).toBeLessThan(30_000)
  })

  test('NUL, half surrogates and control characters are stored and answered', async () => {
    stage.model.follow(() => ({ text: 'Odd: \u0000 \ud800 \u202e done' }))
    const { said } = await stage.ask('@quorum odd \u0001 \u202e text')
    expect(said.at(-1)).toContain('done')
  })

  test('an answer of the model cannot mention anybody', async () => {
    stage.model.follow(() => ({ text: 'Hey <!channel> and <@U0BEN> and <https://evil.test|a safe link>' }))
    const { ts } = await stage.ask('@quorum hello?')
    const message = stage.workspace.messages(stage.workspace.channels.general, ts).at(-1)
    expect(message?.text).not.toMatch(/<[!@#]/)
    expect(JSON.stringify(message?.blocks)).not.toMatch(/"type":"(user|broadcast|link)"/)
  })

  test('Slack failing for a while delays the answer and loses nothing', async () => {
    stage.model.follow(() => ({ text: 'Here at last.' }))
    stage.workspace.misbehave.breakHttp('chat.postMessage', 2, 'lost')
    const { said } = await stage.ask('@quorum hello?')
    expect(said.filter((text) => text.includes('Here at last.'))).toHaveLength(1)
  })
})

describe('tools that misbehave', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await openStage({
      servers: { modern: modern() },
      policy: { 'modern__*': { decision: 'allow', output: 'trusted' } },
      maxTurns: 4,
    })
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  test('arguments that do not fit go back to the model with the reason, at most twice', async () => {
    stage.model.follow(() => ({ calls: [{ name: 'modern__sum', args: { a: 1 } }] }))
    const before = stage.model.requests.length
    const { said } = await stage.ask('@quorum do it')
    expect(stage.model.requests.length - before).toBe(3)
    expect(said.at(-1)).toMatch(/does not fit/)
    expect(stage.model.requests.at(-1)?.body.messages.at(-1)?.content).toMatch(/does not fit the tool/)
  })

  test('a tool that is not there is told to the model', async () => {
    stage.model.follow(({ body }) =>
      body.messages.at(-1)?.role === 'tool'
        ? { text: 'I cannot do that.' }
        : { calls: [{ name: 'modern__no_such', args: {} }] },
    )
    const { said } = await stage.ask('@quorum do it')
    expect(said.at(-1)).toBe('I cannot do that.')
  })

  test('a model that never stops calling is stopped', async () => {
    stage.model.follow((_, n) => ({ calls: [{ name: 'modern__sum', args: { a: n, b: 1 } }] }))
    const { said } = await stage.ask('@quorum go on for ever')
    expect(said.at(-1)).toMatch(/after 4 rounds without/)
  })
})

test('signed HTTP works as Socket Mode does, health beside it', async () => {
  await using stage = await openStage({ http: true, model: { text: 'Over HTTP.' } })
  const { said } = await stage.ask('@quorum hello?')
  expect(said.at(-1)).toBe('Over HTTP.')
  const health = await until(async () => {
    const answer = await fetch(`http://127.0.0.1:${stage.engines.env.PORT}/health`)
    return answer.ok && ((await answer.json()) as { ok: boolean; checks: Record<string, string> })
  })
  expect(health.checks).toMatchObject({ store: 'ok', queue: 'ok', slack: 'ok' })
})

test('what was heard while nobody could handle it is answered after the restart', async () => {
  await using stage = await openStage({ model: { text: 'Sorry for the wait.' } })
  const { workspace } = stage
  const channel = workspace.channels.general
  await stage.stop()
  const ts = await workspace.say(workspace.users.ana, channel, '@quorum are you there?')
  await stage.restart()
  await stage.ended(channel, ts)
  expect(stage.said(channel, ts).at(-1)).toBe('Sorry for the wait.')
})
