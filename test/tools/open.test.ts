import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { ToolServer } from '../../src/core/home.ts'
import { call, hostile, modern, openTestTools, packaged, shelf, until } from '../support/tools.ts'

const FILES = '@modelcontextprotocol/server-filesystem'
const MEMORY = '@modelcontextprotocol/server-memory'

test('two servers from npm: listed in fixed order, called, and closed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'quorum-files-'))
  const servers = {
    memory: packaged(MEMORY, [], { MEMORY_FILE_PATH: join(dir, 'memory.json') }),
    files: packaged(FILES, [dir]),
  }
  await using tools = openTestTools(servers)
  expect(tools.health().map(({ state }) => state)).toEqual(['idle', 'idle'])

  const catalogue = await tools.catalogue()
  const names = catalogue.map(({ name }) => name)
  expect(names).toContain('files__write_file')
  expect(names).toContain('memory__create_entities')
  expect(names).toEqual([...names].sort())
  expect(JSON.stringify(await tools.catalogue())).toBe(JSON.stringify(catalogue))
  expect(tools.health().map(({ state }) => state)).toEqual(['ready', 'ready'])

  const path = join(dir, 'note.txt')
  expect(await call(tools, 'files__write_file', { path, content: 'hello' })).toMatchObject({
    outcome: 'succeeded',
  })
  expect((await call(tools, 'files__read_text_file', { path })).text).toContain('hello')
  const outside = await call(tools, 'files__read_text_file', { path: '/etc/passwd' })
  expect(outside.outcome).toBe('failed')
  const entities = [{ name: 'Ana', entityType: 'person', observations: ['on call'] }]
  expect((await call(tools, 'memory__create_entities', { entities })).outcome).toBe('succeeded')
  expect((await call(tools, 'memory__search_nodes', { query: 'Ana' })).text).toContain('on call')

  await using again = openTestTools(servers)
  expect(JSON.stringify(await again.catalogue())).toBe(JSON.stringify(catalogue))
  rmSync(dir, { recursive: true })
})

test('a call alone connects: what was approved before a restart can still be called', async () => {
  await using tools = openTestTools({ bad: hostile() })
  expect((await call(tools, 'bad__echo', { n: 1 })).text).toBe('{"n":1}')
})

test('a server that fails costs its own tools only, and says why', async () => {
  await using tools = openTestTools({
    absent: ToolServer.parse({ command: '/nonexistent/server' }),
    broken: hostile('--says=cannot open the ledger'),
    good: hostile(),
  })
  const servers = new Set((await tools.catalogue()).map(({ server }) => server))
  expect([...servers]).toEqual(['good'])
  const [absent, broken, good] = tools.health()
  expect(absent).toMatchObject({ state: 'failed', tools: 0 })
  expect(absent?.why).toContain('ENOENT')
  expect(broken?.why).toBe('its process ended with code 3 (cannot open the ledger)')
  expect(good).toMatchObject({ state: 'ready' })
  const { outcome, text } = await call(tools, 'absent__anything')
  expect(outcome).toBe('failed')
  expect(text).toContain('absent cannot be reached')
})

test('a failing server is not started again at every use', async () => {
  await using tools = openTestTools({ broken: hostile('--says=no') })
  await tools.catalogue()
  const starts = tools.lines.filter((line) => line.includes('wrote')).length
  await tools.catalogue()
  await tools.catalogue()
  expect(tools.lines.filter((line) => line.includes('wrote')).length).toBe(starts)
})

test('a server that ends when asked for its protocol is addressed in the older way', async () => {
  await using tools = openTestTools({ old: hostile('--dies-on-probe') })
  expect((await call(tools, 'old__echo', {})).outcome).toBe('succeeded')
})

test('names that cannot be used are refused, the rest stays', async () => {
  const long = `very_${'long_'.repeat(20)}name`
  await using tools = openTestTools({ bad: hostile(`--names=two words,twin,twin,dotted.name,${long},<b>`) })
  const names = (await tools.catalogue()).map(({ name }) => name)
  expect(names).toContain('bad__dotted_name')
  expect(names).not.toContain('bad__twin')
  expect(names.filter((name) => !/^[a-zA-Z0-9_-]{1,64}$/.test(name))).toEqual([])
  expect(names.filter((name) => name.startsWith('bad__very_long'))).toHaveLength(1)
  const refused = tools.lines.filter((line) => line.includes('refused')).join('\n')
  for (const word of ['two words', 'twin', '<b>']) expect(refused).toContain(word)
})

test('at most 128 tools of one server', async () => {
  await using tools = openTestTools({ bad: hostile('--count=200') })
  expect(await tools.catalogue()).toHaveLength(128)
})

test('a changed list is taken over', async () => {
  await using tools = openTestTools({ bad: hostile() })
  const names = async () => (await tools.catalogue()).map(({ name }) => name)
  expect(await names()).not.toContain('bad__grown')
  await call(tools, 'bad__grow')
  await vi.waitUntil(async () => (await names()).includes('bad__grown'))
})

test('a call is refused where the tool or server is not what was approved', async () => {
  await using tools = openTestTools({ bad: hostile() })
  const [tool] = (await tools.catalogue()).filter(({ name }) => name === 'bad__echo')
  const { definitionHash = '', serverHash = '' } = tool ?? {}
  const { signal } = new AbortController()
  const expecting = (expect: { definitionHash: string; serverHash: string }) =>
    tools.call('bad__echo', {}, { signal, expect })
  expect(await expecting({ definitionHash, serverHash })).toMatchObject({ outcome: 'succeeded' })
  expect(await expecting({ definitionHash: 'other', serverHash })).toMatchObject({ outcome: 'failed' })
  expect(await expecting({ definitionHash, serverHash: 'other' })).toMatchObject({ outcome: 'failed' })
})

test('a server that came back with another tool of the same name is not called', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'quorum-tools-'))
  const [log, words] = [join(dir, 'calls'), join(dir, 'words')]
  writeFileSync(words, 'repeats what it is given')
  await using tools = openTestTools({ bad: hostile(`--log=${log}`, `--describes=${words}`) })
  const tool = (await tools.catalogue()).find(({ name }) => name === 'bad__echo')
  const { definitionHash = '', serverHash = '' } = tool ?? {}
  writeFileSync(words, 'sends what it is given to everybody')
  await call(tools, 'bad__die')
  const options = { signal: new AbortController().signal, expect: { definitionHash, serverHash } }
  const { outcome, text } = await tools.call('bad__echo', {}, options)
  expect(outcome).toBe('failed')
  expect(text).toContain('has changed since the call was decided')
  expect(readFileSync(log, 'utf8')).toBe('die\n')
  rmSync(dir, { recursive: true })
})

test('a call can be stopped while its server is still starting', async () => {
  const tools = openTestTools({ bad: hostile('--mute') })
  const stop = new AbortController()
  const running = tools.call('bad__echo', {}, { signal: stop.signal })
  await until(() => tools.health()[0]?.state === 'connecting')
  stop.abort()
  expect(await running).toMatchObject({ outcome: 'failed', text: 'The call was stopped before it began.' })
  const began = performance.now()
  await tools.close()
  expect(performance.now() - began).toBeLessThan(5_000)
})

test('a server of the present protocol on standard streams, and again after it died', async () => {
  await using tools = openTestTools({ modern: modern() })
  expect((await tools.catalogue()).map(({ name }) => name)).toEqual([
    'modern__ask',
    'modern__die',
    'modern__flood',
    'modern__nag',
    'modern__slow',
    'modern__sum',
    'modern__survey',
    'modern__visit',
  ])
  expect(await call(tools, 'modern__sum', { a: 1, b: 2 })).toMatchObject({
    outcome: 'succeeded',
    text: '{"sum":3}',
  })
  expect(await call(tools, 'modern__ask', {})).toMatchObject({
    outcome: 'input',
    input: { state: 'state-1', requests: { sure: { mode: 'form', message: 'Sure? <!channel>' } } },
  })
  expect((await call(tools, 'modern__die', {})).outcome).toBe('unknown')
  expect((await call(tools, 'modern__sum', { a: 2, b: 2 })).text).toBe('{"sum":4}')
})

test('a child sees only what it is given, begins where it should, and its secrets come back masked', async () => {
  const given = { TOKEN: `\${SECRET_TOKEN}`, STAGE: `\${STAGE}`, PLACE: `\${PLACE}` }
  const server = { ...hostile(), env: given, cwd: 'test' }
  const env = {
    ...process.env,
    SECRET_TOKEN: 'hunter2-hunter2',
    OTHER_SECRET: 'unseen',
    STAGE: 'production',
    PLACE: process.cwd(),
  }
  await using tools = openTestTools({ bad: server }, { env })
  const seen = JSON.parse((await call(tools, 'bad__environment')).text) as Record<string, string>
  expect(seen).toMatchObject({ TOKEN: '***', STAGE: 'production', PLACE: process.cwd() })
  const inherited = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR', 'QUORUM_SERVER', ...Object.keys(given)]
  expect(Object.keys(seen).filter((name) => !inherited.includes(name))).toEqual([])
  expect((await call(tools, 'bad__where')).text).toBe(join(process.cwd(), 'test'))
})

test('a variable that is not set is named', async () => {
  await using tools = openTestTools({ bad: { ...hostile(), env: { TOKEN: `\${NOT_SET_ANYWHERE}` } } })
  expect((await call(tools, 'bad__echo')).text).toContain('NOT_SET_ANYWHERE')
})

test('a server of the older protocol is asked once to tell of each resource that is followed', async () => {
  await using tools = openTestTools({ shelf: shelf(), other: modern() })
  const told: string[] = []
  const deaf = tools.onResources((server) => told.push(server))
  const { list, read, follow } = tools.resources('shelf')
  const uris = (await list()).map(({ uri }) => uri)
  expect(uris).toEqual(['shelf://a', 'shelf://b'])
  await follow(uris.slice(0, 1))
  await follow(uris)
  await follow(uris)
  await until(() => told.length === 2)
  expect(told).toEqual(['shelf', 'shelf'])
  expect(await read('shelf://a')).toBe('shelf://a shelf://b')
  // Without resources there is nothing to follow.
  await tools.resources('other').follow(['other://x'])
  deaf()
})
