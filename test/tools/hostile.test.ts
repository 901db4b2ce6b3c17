import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Tools } from '../../src/tools/open.ts'
import { alive, call, hostile, openTestTools, until } from '../support/tools.ts'

let tools: Tools
beforeAll(() => {
  tools = openTestTools({ bad: hostile() })
})
afterAll(() => tools.close())

test('an error of the tool is a failure with its text', async () => {
  expect(await call(tools, 'bad__error')).toMatchObject({ outcome: 'failed', text: 'the disk is full' })
})

test('a refusal by protocol is a failure with its reason', async () => {
  const { outcome, text } = await call(tools, 'bad__refusal')
  expect(outcome).toBe('failed')
  expect(text).toContain('no such argument')
})

test('what is no result leaves the outcome unknown', async () => {
  expect((await call(tools, 'bad__nonsense')).outcome).toBe('unknown')
})

test('60 MB of result cost one call, and nobody else', async () => {
  const slow = call(tools, 'bad__never', {}, 15_000)
  const { outcome, text } = await call(tools, 'bad__huge')
  expect(outcome).toBe('unknown')
  expect(text).toContain('more than 8 MB')
  expect((await call(tools, 'bad__echo', { a: 1 })).text).toBe('{"a":1}')
  expect(await Promise.race([slow, 'still waiting'])).toBe('still waiting')
  expect(tools.health()[0]?.state).toBe('ready')
})

test('a line of 20 MB that is no message is skipped', async () => {
  expect((await call(tools, 'bad__line', {}, 500)).outcome).toBe('unknown')
  expect((await call(tools, 'bad__echo')).outcome).toBe('succeeded')
})

test('a tool that never returns is unknown after its time, and says so', async () => {
  const { outcome, text, ms } = await call(tools, 'bad__never', {}, 200)
  expect(outcome).toBe('unknown')
  expect(text).toBe('bad did not answer within 200 ms. The call may have run.')
  expect(ms).toBeGreaterThanOrEqual(190)
})

test('a tool that reports progress may take longer than its time of silence', async () => {
  expect(await call(tools, 'bad__progress', {}, 300)).toMatchObject({ outcome: 'succeeded', text: 'slowly' })
})

test('being stopped is told apart from being late', async () => {
  const stop = new AbortController()
  const running = tools.call('bad__never', {}, { signal: stop.signal })
  setTimeout(() => stop.abort(), 50)
  const { outcome, text } = await running
  expect(outcome).toBe('unknown')
  expect(text).toContain('was stopped while it ran')
  expect(await tools.call('bad__echo', {}, { signal: stop.signal })).toMatchObject({ outcome: 'failed' })
})

test('garbage on standard output is passed over', async () => {
  expect(await call(tools, 'bad__garbage')).toMatchObject({ outcome: 'succeeded', text: 'fine' })
})

test('pictures are named, long texts are cut, and what no database takes is replaced', async () => {
  expect((await call(tools, 'bad__picture')).text).toBe('[image, image/png, 12 kB]')
  const { text } = await call(tools, 'bad__large')
  expect(text.slice(65_530)).toBe('xxxxxx\n[Cut here: 34,464 more characters were not read.]')
  expect((await call(tools, 'bad__nul')).text).toBe('a\ufffdb\ufffdc')
})

test('an unknown tool and arguments that are no object fail before anything is sent', async () => {
  expect((await call(tools, 'bad__missing')).text).toBe('There is no tool called "bad__missing".')
  expect((await call(tools, 'nobody__x')).outcome).toBe('failed')
  expect((await call(tools, 'bad__echo', 'not JSON')).outcome).toBe('failed')
  expect((await call(tools, 'bad__echo', [1])).outcome).toBe('failed')
})

test('a server that dies in a call leaves it unknown, runs it once, and is there again', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'quorum-tools-'))
  const file = join(dir, 'calls')
  await using own = openTestTools({ bad: hostile(`--log=${file}`) })
  const { outcome, text } = await call(own, 'bad__die')
  expect(outcome).toBe('unknown')
  expect(text).toContain('its process ended with code 7')
  expect(own.health()[0]).toMatchObject({ state: 'failed', why: 'its process ended with code 7' })
  expect((await call(own, 'bad__echo')).outcome).toBe('succeeded')
  expect(readFileSync(file, 'utf8')).toBe('die\necho\n')
  rmSync(dir, { recursive: true })
})

test('closing leaves neither a grandchild nor a server that will not go', async () => {
  const own = openTestTools({ bad: hostile('--ignores-goodbye') })
  const pids = [await call(own, 'bad__process'), await call(own, 'bad__grandchild')].map(({ text }) =>
    Number(text),
  )
  expect(pids.every(alive)).toBe(true)
  await own.close()
  await until(() => pids.every(gone))
  expect((await call(own, 'bad__echo')).outcome).toBe('failed')
})

test('a process that exits without closing leaves no server behind', async () => {
  const code = `
    const { openTools } = await import(${JSON.stringify(import.meta.resolve('../../src/tools/open.ts'))})
    const servers = ${JSON.stringify({ bad: hostile('--ignores-goodbye') })}
    const tools = openTools(servers, { env: process.env, cwd: process.cwd() })
    const { signal } = new AbortController()
    console.log((await tools.call('bad__process', {}, { signal })).text)
    console.log((await tools.call('bad__grandchild', {}, { signal })).text)
    process.exit(0)`
  const run = promisify(execFile)
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { timeout: 20_000 })
  const pids = stdout.trim().split('\n').map(Number)
  expect(pids).toHaveLength(2)
  await until(() => pids.every(gone))
})

test('a grandchild does not outlive its server', async () => {
  await using own = openTestTools({ bad: hostile() })
  const pid = Number((await call(own, 'bad__grandchild')).text)
  expect((await call(own, 'bad__die')).outcome).toBe('unknown')
  await until(() => gone(pid))
})

test.runIf(process.platform === 'linux')(
  'what a server started in a session of its own does not outlive it either',
  async () => {
    const [one, two] = [openTestTools({ bad: hostile() }), openTestTools({ bad: hostile() })]
    const pids = [Number((await call(one, 'bad__stray')).text), Number((await call(two, 'bad__stray')).text)]
    const [first = 0, second = 0] = pids
    expect(pids.every(alive)).toBe(true)
    await one.close()
    await until(() => gone(first))
    expect(alive(second), 'only its own').toBe(true)
    expect((await call(two, 'bad__die')).outcome).toBe('unknown')
    await until(() => gone(second))
    await two.close()
  },
)

test('pages without end are no list of tools: the server is away, and says why', async () => {
  await using own = openTestTools({ bad: hostile('--pages'), good: hostile() })
  const servers = new Set((await own.catalogue()).map(({ server }) => server))
  expect([...servers]).toEqual(['good'])
  expect(own.health()[0]).toMatchObject({ state: 'failed', tools: 0 })
  expect(own.health()[0]?.why).toContain('16')
})

test('names that look like others but are written in other letters are refused', async () => {
  await using own = openTestTools({ bad: hostile('--names=\u0435cho,ech\u043e,echo\u200b,\uff45cho') })
  const names = (await own.catalogue()).map(({ name }) => name)
  expect(names.filter((name) => name.includes('cho'))).toEqual(['bad__echo'])
  expect(own.lines.filter((line) => line.includes('is not a name for a tool'))).toHaveLength(4)
})

test.each([
  ['6,000 notices before an answer', 'notices', 'noted'],
  ['30 MB on standard error before an answer', 'mutters', 'muttered'],
  ['an answer given twice counts once, the first', 'twice', 'first'],
  ['answers to what nobody asked', 'ids', 'real'],
])('%s: the answer comes, and another server does not wait for it', async (_, tool, said) => {
  await using own = openTestTools({ bad: hostile(), good: hostile() })
  await own.catalogue()
  const flood = call(own, `bad__${tool}`)
  const other = await call(own, 'good__echo', { a: 1 })
  expect(other).toMatchObject({ outcome: 'succeeded', text: '{"a":1}' })
  expect(other.ms).toBeLessThan(2_000)
  expect(await flood).toMatchObject({ outcome: 'succeeded', text: said })
  expect((await call(own, 'bad__echo')).text).toBe('{}')
})

test('a thousand changes told at once are one or two new lists', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'quorum-tools-'))
  const file = join(dir, 'lists')
  await using own = openTestTools({ bad: hostile(`--lists=${file}`) })
  expect((await call(own, 'bad__changes')).text).toBe('changed')
  expect((await call(own, 'bad__echo')).text).toBe('{}')
  const listed = () => readFileSync(file, 'utf8').split('\n').length - 1
  await until(() => listed() > 1)
  await sleep(1_500)
  expect(listed()).toBeLessThanOrEqual(3)
  rmSync(dir, { recursive: true })
})

test('a result that looks like an approval card is text, and nothing but text', async () => {
  const { outcome, text } = await call(tools, 'bad__card')
  expect(outcome).toBe('succeeded')
  expect(JSON.parse(text)).toHaveProperty('blocks')
})

test('a call that is stopped is taken back at the server', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'quorum-tools-'))
  const file = join(dir, 'calls')
  await using own = openTestTools({ bad: hostile(`--log=${file}`) })
  const stop = new AbortController()
  const running = own.call('bad__never', {}, { signal: stop.signal })
  await until(() => existsSync(file))
  stop.abort()
  expect((await running).outcome).toBe('unknown')
  await until(() => readFileSync(file, 'utf8') === 'never\ncancelled\n')
  rmSync(dir, { recursive: true })
})

test('a server that ends in every call is tried again after longer and longer pauses', async () => {
  await using own = openTestTools({ bad: hostile() })
  for (let time = 0; time < 2; time++) expect((await call(own, 'bad__die')).outcome).toBe('unknown')
  const { outcome, text } = await call(own, 'bad__die')
  expect(outcome).toBe('failed')
  expect(text).toBe('bad cannot be reached: its process ended with code 7.')
  const [found] = own.health()
  expect(found).toMatchObject({ state: 'failed', restarts: 1 })
  expect(found?.retryMs).toBeGreaterThan(0)
})

/** Ended, even where nobody has collected it yet. */
function gone(pid: number): boolean {
  const status = `/proc/${pid}/stat`
  return !alive(pid) || (existsSync(status) && / Z /.test(readFileSync(status, 'utf8')))
}

test('an older server that asks is told cancel, once or without end, and the outcome says what it asked', async () => {
  await using own = openTestTools({ bad: hostile() })
  const secret = `Key?\u202e ${'x'.repeat(5_000)}`
  const once = await call(own, 'bad__asks', { message: secret })
  expect(once).toMatchObject({ outcome: 'succeeded', text: '{"action":"cancel"}' })
  expect(once.asked).toMatch(/^“Key\? x{194}…”$/)
  const often = await call(own, 'bad__nags')
  expect(often).toMatchObject({
    outcome: 'succeeded',
    asked: '“And 1?”, “And 2?”, “And 3?” and 1997 more',
  })
  const [one, other] = await Promise.all([
    call(own, 'bad__wait', { ms: 600 }),
    call(own, 'bad__asks', { message: 'for one of them' }),
  ])
  expect([one.asked, other.asked]).toEqual(Array(2).fill('something, while several calls were open'))
  expect(await call(own, 'bad__echo')).not.toHaveProperty('asked')
})
