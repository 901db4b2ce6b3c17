import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FUSION } from '../../src/core/fuse.ts'
import { initDoor } from '../../src/doors/init.ts'
import { readFront } from '../../src/home/front.ts'
import { readHome } from '../../src/home/read.ts'
import { makeTemporary } from '../support/temporary.ts'

async function init(args: string[]) {
  const printed: string[] = []
  const code = await initDoor(args, { print: (line) => printed.push(line) })
  return { code, printed }
}

/** Takes away the # of every setting that is written as a comment: `#key: value`, not `# a sentence`. */
const uncomment = (text: string) => text.replace(/^#(?=\S| {2})/gm, '')

test('quorum init writes a home that can be read as it is', async () => {
  await using temporary = await makeTemporary()
  const dir = join(temporary.dir, 'deep', 'home')
  const { code, printed } = await init([dir])
  expect(code).toBe(0)
  const home = await readHome(dir, {})
  expect(home.agents.map(({ name }) => name)).toEqual(['quorum'])
  expect(home).toMatchObject({ servers: {}, policy: { tools: {} }, models: undefined })
  const pages = Object(home.sources.pages).directory ?? ''
  expect(await readdir(pages)).toEqual(['welcome.md'])
  expect(readFront(await readFile(join(pages, 'welcome.md'), 'utf8')).front.value).toMatchObject({
    title: 'Welcome to Quorum',
  })
  const written = (await readdir(dir, { recursive: true })).filter((name) => name.includes('.')).toSorted()
  expect(printed.slice(1, -1).map((line) => line.trim())).toEqual(written)
})

test('every setting that the starter shows as a comment is one that works', async () => {
  await using temporary = await makeTemporary()
  const dir = join(temporary.dir, 'home')
  await init([dir])
  const change = async (file: string, edit: (text: string) => string) => {
    const path = join(dir, file)
    const before = await readFile(path, 'utf8')
    const after = edit(before)
    expect(after, `${file} shows nothing`).not.toBe(before)
    await writeFile(path, after)
  }
  const readme = await readFile(join(dir, 'README.md'), 'utf8')
  await change('mcp.json', () => /```json\n([^`]+)```/.exec(readme)?.[1] ?? '')
  await change('agents/quorum.md', uncomment)
  await change('models.yaml', uncomment)
  await change('budgets.yaml', uncomment)
  await change('policy.yaml', (text) => {
    const [head = '', rules = ''] = text.split('tools: {}')
    return `${head}tools:${uncomment(rules)}`
  })
  await change('sources.yaml', (text) =>
    text.replace('# link:', 'link:').replace('# retention:', 'retention:'),
  )
  const keys = { VLLM_API_KEY: 'k', AZURE_KEY: 'k', SECOND_API_KEY: 'k', OPENAI_API_KEY: 'k' }
  const home = await readHome(dir, { ...keys, TRACKER_TOKEN: 't' })
  expect(home.agents[0]).toMatchObject({ model: 'main', knowledge: ['pages'] })
  expect(Object.keys(home.servers)).toEqual(['files', 'tracker'])
  expect(Object.keys(home.policy.tools)).toHaveLength(10)
  expect([Object.keys(home.policy.channels), Object.keys(home.policy.agents)]).toEqual([
    ['C0123456789'],
    ['quorum'],
  ])
  expect(home.models).toMatchObject({
    pools: {
      main: { key: 'VLLM_API_KEY', instead: ['backup'], smaller: 'small' },
      backup: { tier: 'cloud' },
    },
    waits: { quotes: '1m' },
    embeddings: { dimensions: 1024 },
    recall: FUSION,
    rerank: { deadline: '1500ms', passages: 30 },
  })
  expect(home.budgets).toMatchObject({
    zone: 'UTC',
    workspace: { day: { tokens: 5_000_000 }, month: { dollars: 200 } },
    users: { '*': { day: { tokens: 300_000 } } },
    agents: { quorum: { day: { tokens: 4_000_000 } } },
    fairness: { users: { U0123456789: 2 }, teams: { S0123456789: 3 }, agents: { quorum: 1 } },
  })
  expect(home.sources.pages).toMatchObject({ link: 'https://wiki.example/{path}#{heading}' })
  expect(home.retention).toEqual({ runs: 365, inbox: 7 })
})

test('a directory with anything in it is left alone', async () => {
  await using temporary = await makeTemporary()
  await writeFile(join(temporary.dir, 'notes.txt'), 'mine')
  await expect(init([temporary.dir])).rejects.toThrow('is not empty')
  expect(await readdir(temporary.dir)).toEqual(['notes.txt'])
})

test('an empty directory is filled; a path that cannot be is named', async () => {
  await using temporary = await makeTemporary()
  const dir = join(temporary.dir, 'empty')
  await mkdir(dir)
  expect((await init([dir])).code).toBe(0)
  await writeFile(join(temporary.dir, 'file'), '')
  await expect(init([join(temporary.dir, 'file', 'home')])).rejects.toThrow('cannot be written (ENOTDIR)')
})

test('without exactly one directory it explains itself', async () => {
  expect(await init([])).toEqual({ code: 2, printed: ['Usage: quorum init DIR'] })
  expect(await init(['a', 'b'])).toEqual({ code: 2, printed: ['Usage: quorum init DIR'] })
})
