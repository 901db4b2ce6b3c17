/** What tool servers offer beside tools: resources become knowledge, prompts become commands. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { postQuestion } from '../../src/agent/commands/question.ts'
import { ingest } from '../../src/agent/knowledge/ingest.ts'
import { Fault } from '../../src/core/fault.ts'
import { inboxKey } from '../../src/core/heard.ts'
import { Source, ToolServer } from '../../src/core/home.ts'
import type { Numbered } from '../../src/core/run.ts'
import { taintOf } from '../../src/core/taint.ts'
import { keepReading } from '../../src/doors/reading.ts'
import { openSpeaker } from '../../src/slack/speak.ts'
import { writeInbox } from '../../src/store/inbox.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { makeTemporary } from '../support/temporary.ts'

const OURS = { outside: async () => false }

let stage: Stage
let temporary: Awaited<ReturnType<typeof makeTemporary>>
let page: string

beforeAll(async () => {
  temporary = await makeTemporary()
  page = path.join(temporary.dir, 'page.md')
  await writeFile(page, '# Anchors\n\nThe storm anchor weighs forty kilograms.\n')
  const script = fileURLToPath(import.meta.resolve('../support/servers/library.ts'))
  vi.stubEnv('KEEPER', 'hunter22hunter22hunter22')
  const servers = {
    library: ToolServer.parse({
      command: process.execPath,
      args: [script, page],
      env: { KEEPER: `\${KEEPER}` },
    }),
  }
  stage = await openStage({
    servers,
    model: ({ body }) => ({ text: `Heard: ${body.messages.at(-1)?.content}` }),
  })
})
afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await temporary.remove()
})

const read = (source: Parameters<typeof ingest>[3]) => {
  const { store, tools } = stage.engines
  const context = { pool: store.pool, home: temporary.dir, resources: tools.resources }
  return ingest(context, stage.workspace.team, 'library', source)
}
const source = { tool_server: 'library', audience: 'everyone' as const }

test('resources are read as documents, what is none is told, and a second time only what changed', async () => {
  expect(await read(source)).toMatchObject({
    added: 1,
    skipped: [
      { path: 'library://broken', why: expect.stringMatching(/cannot be read: .*shelf of \*\*\* is empty/) },
      { path: 'library://picture', why: 'it is image/png, which is not read from tool servers' },
    ],
  })
  expect(await read(source)).toMatchObject({ added: 0, changed: 0, unchanged: 1 })
  await writeFile(page, '# Anchors\n\nThe storm anchor weighs fifty kilograms.\n')
  expect(await read(source)).toMatchObject({ changed: 1 })
  const { said } = await stage.ask('@quorum how heavy is the storm anchor?')
  expect(said.at(-1)).toContain('fifty kilograms')
  const found = await stage.engines.store.pool.query('select link from documents where source = $1', [
    'library',
  ])
  expect(found.rows, 'a server chooses no links').toEqual([{ link: null }])
})

test('what the server tells of is read again without waiting for its time, new resources too', async () => {
  const { env, home, store, tools } = stage.engines
  const sources = { library: Source.parse({ ...source, every: '1d' }) }
  const library = { env, store, tools, home: { ...home, dir: temporary.dir, sources }, log: () => {} }
  const reading = keepReading(library, stage.workspace.team)
  await reading.first
  const texts = async () => {
    const found = await store.pool.query<{ path: string; text: string }>(
      'select d.path, p.text from documents d join passages p on p.document = d.id where source = $1 order by 1',
      ['library'],
    )
    return found.rows.map(({ path: at, text }) => `${at}: ${text}`)
  }
  await writeFile(page, '# Anchors\n\nThe storm anchor weighs sixty kilograms, and there is more.\n')
  await until(async () => (await texts()).some((text) => /anchors\.md: .*sixty/s.test(text)), 60_000)
  await until(async () => (await texts()).some((text) => /more\.md: .*sixty/s.test(text)), 90_000)
  await reading.close()
}, 240_000)

test('only the addresses that are named; a server that is not there costs one sentence, and nothing is removed', async () => {
  await expect(read({ ...source, resources: ['library://*'] })).rejects.toThrow(/holds no documents now/)
  await expect(read({ ...source, tool_server: 'nowhere' })).rejects.toThrow(Fault)
  await expect(read({ ...source, tool_server: 'nowhere' })).rejects.toThrow(/not an accepted server/)
})

test('a prompt is listed, asked with, shown as a quote, and taints the run', async () => {
  const { workspace } = stage
  const { general } = workspace.channels
  const { ana } = workspace.users
  const tell = async (text: string) => {
    const seen = workspace.ephemerals(ana).length
    await workspace.command(ana, general, `/quorum ${text}`)
    return until(async () => workspace.ephemerals(ana)[seen]?.text)
  }
  expect(await tell('prompts')).toContain('library__review topic=… [tone=…]: Reviews a topic.')
  expect(await tell('prompt library__nothing')).toMatch(/could not be had/)
  expect(await tell('prompt library__review anchors')).toMatch(/I do not understand “anchors”/)

  await workspace.command(ana, general, '/quorum prompt library__review topic=anchors tone="very dry"')
  const asked = await until(async () =>
    workspace.messages(general).findLast((m) => JSON.stringify(m.blocks ?? []).includes('library__review')),
  )
  expect(JSON.stringify(asked.blocks)).toContain('rich_text_quote')
  expect(JSON.stringify(asked.blocks)).not.toContain('"broadcast"')
  await stage.ended(general, asked.ts)
  expect(stage.said(general, asked.ts).at(-1)).toContain('Review anchors in a very dry tone.')
  const steps = await stage.engines.store.pool.query(
    'select s.n, s.body from steps s join runs r on r.id = s.run where r.message = $1 order by s.n',
    [asked.ts],
  )
  const run = steps.rows.map((row) => ({ ...row.body, n: row.n })) as Numbered[]
  expect(taintOf(run.slice(0, 1))).toEqual([{ from: 'tool', what: 'library__review' }])
})

test('in a thread the words follow a mention: prompts are listed, and asked with, beside what others wrote', async () => {
  const { workspace } = stage
  const { general } = workspace.channels
  const { ana } = workspace.users
  const ts = await workspace.say(ana, general, 'We talk about anchors.')
  const seen = workspace.ephemerals(ana).length
  await workspace.say(ana, general, '@quorum prompts', { thread: ts })
  const told = await until(async () => workspace.ephemerals(ana)[seen]?.text)
  expect(told).toContain('library__review topic=')
  await workspace.say(ana, general, '@quorum prompt library__nothing x=y', { thread: ts })
  expect(await until(async () => workspace.ephemerals(ana)[seen + 1]?.text)).toMatch(/could not be had/)
  await workspace.say(ana, general, '@quorum prompt library__review topic=anchors', { thread: ts })
  await stage.ended(general, ts)
  const said = workspace.messages(general, ts).map((m) => JSON.stringify(m.blocks ?? ''))
  expect(
    said.filter((one) => one.includes('rich_text_quote') && one.includes('Review anchors')),
  ).toHaveLength(1)
  expect(stage.said(general, ts).at(-1)).toContain('Review anchors in a plain tone.')
  const steps = await stage.engines.store.pool.query(
    `select body from steps where body->>'kind' = 'asked' and body->>'prompt' is not null`,
  )
  expect(steps.rowCount).toBeGreaterThanOrEqual(2)
})

test('where another organisation reads no prompt is listed or asked with, and no server is asked for one', async () => {
  const { workspace } = stage
  const { partners } = workspace.channels
  const { ana } = workspace.users
  for (const word of ['prompts', 'prompt library__review topic=anchors']) {
    const seen = workspace.ephemerals(ana).length
    await workspace.command(ana, partners, `/quorum ${word}`)
    const told = await until(async () => workspace.ephemerals(ana)[seen]?.text)
    expect(told).toContain('prompts of tool servers are not used here')
    await workspace.say(ana, partners, `@quorum ${word}`)
    const again = await until(async () => workspace.ephemerals(ana)[seen + 1]?.text)
    expect(again).toBe(told)
  }
  const posted = workspace.messages(partners).filter((m) => m.user === workspace.botUser)
  expect(JSON.stringify(posted)).not.toContain('Review anchors')
})

test('who dies between showing a prompt and asking with it: what was shown is asked, and it is fetched once', async () => {
  const { workspace } = stage
  const { general } = workspace.channels
  const { ana } = workspace.users
  const speaker = await openSpeaker({ botToken: workspace.botToken, apiUrl: workspace.apiUrl })
  const { pool } = stage.engines.store
  const heard = {
    ...({ kind: 'commanded', workspace: workspace.team, channel: general, user: ana } as const),
    ...{
      word: 'prompt',
      rest: 'library__review topic=crash',
      trigger: 'crashed',
      responseUrl: 'http://x.invalid',
    },
  }
  const key = inboxKey(heard)
  await writeInbox(pool, heard)
  const { tools } = stage.engines
  const context = { pool, speak: speaker.speak, accepted: () => [], tools, rights: OURS }
  const first = await postQuestion(context, key, heard)
  speaker.close()
  const shown = /Copy \d+/.exec(first?.message.text ?? '')?.[0]
  expect(shown).toBeDefined()
  const root = first?.message.ts ?? ''
  await stage.ended(general, root)
  expect(stage.said(general, root).at(-1)).toContain(`${shown}.`)
  const posts = workspace
    .messages(general)
    .filter((m) => JSON.stringify(m.blocks ?? '').includes('Review crash'))
  expect(posts.filter((m) => JSON.stringify(m.blocks).includes('rich_text_quote'))).toHaveLength(1)
  expect(JSON.stringify(posts[0]?.blocks)).toContain(`${shown}.`)
})
