import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Chunk } from '../../src/core/chunk.ts'
import { FUSION } from '../../src/core/fuse.ts'
import { type DocumentRow, putDocuments, relabelSource } from '../../src/store/documents.ts'
import type { Store } from '../../src/store/open.ts'
import { countSources, recallPassages, type Search } from '../../src/store/passages.ts'
import { indexVectors } from '../../src/store/vector-index.ts'
import { claimUnembedded, putVectors, type VectorTable } from '../../src/store/vectors.ts'
import { countWords, prepareSearch, type WordStrategy } from '../../src/store/words.ts'
import { audiencesNaming, openVectors, vectorOf } from '../support/knowledge.ts'
import { openTestStore } from '../support/store.ts'

let store: Store
let best: WordStrategy
let table: VectorTable
beforeAll(async () => {
  store = await openTestStore()
  best = await prepareSearch(store.pool)
  table = await openVectors(store.pool)
})
afterAll(() => store.close())
beforeEach(async () => {
  await store.pool.query('delete from documents')
  await countWords(store.pool)
})

/** One document of one passage for each text; its title is what it is called in the tests. */
async function shelve(
  texts: Record<string, string>,
  {
    workspace = 'T1',
    source = 'handbook',
    audience = ['everyone'],
    language = 'en',
    vectors = true,
  }: {
    workspace?: string
    source?: string
    audience?: string[]
    language?: string | undefined
    vectors?: boolean
  } = {},
): Promise<void> {
  for (const [title, text] of Object.entries(texts)) {
    const row: DocumentRow = {
      path: `${title}.md`,
      title,
      hash: text,
      audience,
      date: '2026-05-02',
      ...(language ? { language } : {}),
    }
    const chunks: Chunk[] = [{ n: 1, heading: 'H', text, start: 0, end: text.length }]
    await putDocuments(store.pool, { workspace, source }, [{ document: row, chunks }])
  }
  if (!vectors) return
  const claimed = await claimUnembedded(store.pool, table, { workspace, limit: 1000, claimMs: 60_000 })
  await putVectors(
    store.pool,
    table,
    claimed.map(({ passage, text }) => ({ passage, values: vectorOf(text) })),
  )
}

type Find = Partial<Omit<Search, 'audiences'>> & { scopes?: string[] }

async function find(query: string, { scopes = ['everyone'], workspace = 'T1', ...search }: Find = {}) {
  return recallPassages(store.pool, {
    workspace,
    audiences: await audiencesNaming(store.pool, workspace, scopes),
    query,
    language: 'en',
    limit: 10,
    strategy: best,
    fusion: FUSION,
    ...search,
  })
}

const titles = async (query: string, search: Find = {}) => (await find(query, search)).map((hit) => hit.title)
const meaning = (text: string) => ({ vector: { table, values: vectorOf(text) } })

/** From now on a search goes about it as where there is much to read, however little there is. */
async function pretendMuch(): Promise<void> {
  await countWords(store.pool)
  await store.pool.query('update holdings set passages = 1000000')
}

test('the embedded database ranks by BM25; preparing is repeatable, also by two at once', async () => {
  if (store.kind === 'embedded') expect(best).toBe('bm25')
  expect(await Promise.all([prepareSearch(store.pool), prepareSearch(store.pool)])).toEqual([best, best])
})

describe.each([
  ['bm25', 'little'],
  ['bm25', 'much'],
  ['any-word', 'little'],
  ['any-word', 'much'],
] as const)('words by %s where there is %s to read', (strategy, amount) => {
  const by = async (query: string, search: Find = {}) => {
    if (amount === 'much') await pretendMuch()
    else await countWords(store.pool)
    return titles(query, { strategy, ...search })
  }
  const when = () => strategy === 'any-word' || best === 'bm25'

  test('any word suffices, the rarer ones weigh more, word forms do not matter', async ({ skip }) => {
    if (!when()) skip()
    await shelve({
      rollback: 'To roll back a deploy, run the rollback script and tell the channel.',
      deploy: 'Every deploy is announced. A deploy takes ten minutes.',
      lunch: 'Lunch is at noon.',
    })
    expect(await by('how do we rolled backs deploys?')).toEqual(['rollback', 'deploy'])
    expect(await by('quantum')).toEqual([])
  })

  test('identifiers are found by what people remember of them', async ({ skip }) => {
    if (!when()) skip()
    await shelve({
      ticket: 'The outage was PROJ-1234.',
      other: 'An unrelated PROJ-99 and room 1234.',
      file: 'Look into client.js for getUserName.',
    })
    expect((await by('proj1234'))[0]).toBe('ticket')
    expect((await by('PROJ-1234'))[0]).toBe('ticket')
    expect(await by('client')).toEqual(['file'])
    expect(await by('user name')).toEqual(['file'])
    expect(await by('getusername')).toEqual(['file'])
  })

  test('codes, versions, paths and names are found as they are written', async ({ skip }) => {
    if (!when()) skip()
    await shelve({
      code: 'The proxy answers ERR_CONN_RESET when the upstream closes.',
      version: 'Fixed in v1.2.3 of the agent.',
      ticket: 'PAY-4411 is about refunds.',
      path: 'See /etc/nginx/conf.d/default.conf for the limits.',
      noise: 'Errors of connections are reset every week; version 1 of 2 and 3 pays 4411 euros.',
    })
    expect((await by('what does ERR_CONN_RESET mean?'))[0]).toBe('code')
    expect((await by('v1.2.3'))[0]).toBe('version')
    expect((await by('pay-4411'))[0]).toBe('ticket')
    expect((await by('/etc/nginx/conf.d/default.conf'))[0]).toBe('path')
  })

  test('each document is stemmed in its own language, and found from every other by its words', async ({
    skip,
  }) => {
    if (!when()) skip()
    await shelve({ german: 'Die Häuser wurden 2019 gebaut; der Kündigungsschutz gilt.' }, { language: 'de' })
    await shelve({ english: 'The houses were built in 2019.' })
    await shelve({ chinese: '回滚部署之前先通知值班同事。' }, { language: 'zh' })
    await shelve({ unknown: 'Kubernetes' }, { language: undefined })
    expect(await by('Welches Haus?', { language: 'de' })).toEqual(['german'])
    expect(await by('a house', { language: 'en' })).toEqual(['english'])
    expect(await by('Häuser', { language: 'en' })).toEqual(['german'])
    expect(await by('Kündigungsschutz in Germany', { language: 'en' })).toEqual(['german'])
    expect(await by('怎么回滚？', { language: 'zh' })).toEqual(['chinese'])
    expect(await by('kubernetes', { language: 'de' })).toEqual(['unknown'])
    expect(await by('der die das', { language: 'de' })).toEqual([])
  })

  test('among many, the words that few passages hold decide', async ({ skip }) => {
    if (!when()) skip()
    await shelve(
      Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`p${n}`, `deploy service number ${n}`])),
      { vectors: false },
    )
    await shelve({ rare: 'deploy the zeppelin' }, { vectors: false })
    expect((await by('how do we deploy the zeppelin service'))[0]).toBe('rare')
  })

  test('whatever is asked, it is an answer and never an error', async ({ skip }) => {
    if (!when()) skip()
    await shelve({ page: 'The quick brown fox & the "lazy" dog | cat.' })
    const hostile = [
      '',
      ' ',
      '\0',
      'the and of',
      `'; drop table documents; --`,
      '"unclosed -quote',
      '---------- — – -',
      'a & b | !c <-> d:*',
      '(((',
      '\\',
      '😀🎉',
      '\ud800',
      '$1 $2 %s :name',
      'state-of-the-art O\u2019Brien http://a.b/c?d=e&f=g',
      'fox '.repeat(2_500),
      Array.from({ length: 1_700 }, (_, n) => `w${n}`).join(' '),
      'x'.repeat(10_000),
      'passages_bm25:fox',
      'fox '.repeat(30) + '部署'.repeat(300),
    ]
    for (const query of hostile) await by(query)
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 200 }), async (query) => {
        await by(query)
      }),
      { numRuns: 100 },
    )
    expect(await by(`'; drop table documents; -- fox`)).toEqual(['page'])
  })
})

test('meaning finds what words do not, both together outrank either alone, and the ranks say why', async () => {
  await shelve({
    both: 'rollback deploy',
    meaning: 'they rolled and deplored',
    words: 'rollback rollback rollback lunch menu noon kitchen plates spoons',
    neither: 'holiday calendar',
  })
  const hits = await find('rollback deploy', meaning('rollback deploy'))
  expect(hits[0]).toMatchObject({
    title: 'both',
    vectorRank: 1,
    heading: 'H',
    date: '2026-05-02',
    source: 'handbook',
  })
  expect(hits.map((hit) => hit.title)).toContain('meaning')
  expect(hits.find((hit) => hit.title === 'meaning')?.wordRank).toBeUndefined()
  for (const hit of hits) {
    const words = hit.wordRank === undefined ? 0 : FUSION.words / (FUSION.k + hit.wordRank)
    const vectors = hit.vectorRank === undefined ? 0 : FUSION.vectors / (FUSION.k + hit.vectorRank)
    expect(hit.score).toBeCloseTo(words + vectors, 10)
  }
  expect(hits.map((hit) => hit.score)).toEqual(hits.map((hit) => hit.score).sort((a, b) => b - a))
})

test('a vector of another model is not compared', async () => {
  await shelve({ page: 'fox' })
  const other = await openVectors(store.pool, { name: 'other' })
  expect(await find('xyz', { vector: { table: other, values: vectorOf('fox') } })).toEqual([])
  expect(await titles('xyz', meaning('fox'))).toEqual(['page'])
})

test('nearness finds the same through an index scan as by comparing all', async () => {
  const word = (n: number) => String.fromCharCode(97 + (Math.floor(n) % 26)).repeat(4)
  const many = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [`p${n}`, `${word(n)} ${word(n)} ${word(n / 26)}`]),
  )
  await shelve(many)
  const few = await titles('xyz', meaning('hhhh hhhh aaaa'))
  await store.pool.query(`analyze ${table.table}`)
  expect(await indexVectors(store.pool, table, 1)).toBe(store.kind === 'server')
  expect(await indexVectors(store.pool, table, 1)).toBe(false)
  const { rows } = await store.pool.query(
    'select indisvalid as valid from pg_index where indexrelid = to_regclass($1)',
    [`${table.table}_near`],
  )
  expect(rows).toEqual([{ valid: true }])
  await pretendMuch()
  await store.pool.query('set enable_seqscan = off')
  const much = await titles('xyz', meaning('hhhh hhhh aaaa'))
  await store.pool.query('reset enable_seqscan')
  expect([few[0], much[0]]).toEqual(['p7', 'p7'])
  expect([few.length, much.length]).toEqual([10, 10])
})

test('a hit brings the lines around it, of its own section only, and not those that are hits themselves', async () => {
  const parts = [
    { heading: 'A', text: 'first words' },
    { heading: 'A', text: 'the fox is here' },
    { heading: 'A', text: `last words ${'and more '.repeat(100)}` },
    { heading: 'B', text: 'another section' },
    { heading: 'B', text: 'fox fox' },
    { heading: 'B', text: 'fox' },
  ]
  const chunks = parts.map((part, at) => ({ n: at + 1, ...part, start: at, end: at + 1 }))
  const row: DocumentRow = { path: 'd', title: 'D', hash: 'h', audience: ['everyone'], language: 'en' }
  await putDocuments(store.pool, { workspace: 'T1', source: 's' }, [{ document: row, chunks }])
  const hits = await find('fox')
  expect(hits).toHaveLength(3)
  const of = (heading: string) => hits.filter((hit) => hit.heading === heading)
  const [a] = of('A')
  expect(a?.around?.map(({ side }) => side)).toEqual(['before', 'after'])
  expect(a?.around?.[0]?.text).toBe('first words')
  expect(a?.around?.[1]?.text).toMatch(/^last words and more/)
  expect(a?.around?.[1]?.text).toHaveLength(400)
  expect(of('B').flatMap(({ around = [] }) => around.map(({ text }) => text))).toEqual(['another section'])
})

test('a passage without a vector is found by its words', async () => {
  await shelve({ old: 'fox' })
  await shelve({ fresh: 'fox den' }, { vectors: false })
  await claimUnembedded(store.pool, table, { workspace: 'T1', limit: 1, claimMs: 60_000 })
  expect((await titles('fox', meaning('fox'))).sort()).toEqual(['fresh', 'old'])
})

test('while vectors are being made, those made first do not come first whatever is asked', async () => {
  await shelve({ lunch: 'lunch menu', holidays: 'holiday calendar' })
  await shelve({ answer: 'rolling back a deploy', partly: 'a deploy' }, { vectors: false })
  expect((await titles('rolling back deploys', meaning('rolling back deploys'))).slice(0, 2)).toEqual([
    'answer',
    'partly',
  ])
})

test('no scope, no passage; another workspace, no passage; another source, no passage', async () => {
  await shelve({ page: 'fox' })
  await shelve({ foreign: 'fox' }, { workspace: 'T2' })
  await shelve({ wiki: 'fox' }, { source: 'wiki' })
  expect(await titles('fox', { scopes: [], ...meaning('fox') })).toEqual([])
  expect((await titles('fox', meaning('fox'))).sort()).toEqual(['page', 'wiki'])
  expect(await titles('fox', { workspace: 'T2', ...meaning('fox') })).toEqual(['foreign'])
  expect(await titles('fox', { sources: ['wiki'], ...meaning('fox') })).toEqual(['wiki'])
  expect(await titles('fox', { sources: [], ...meaning('fox') })).toEqual([])
  const audiences = await audiencesNaming(store.pool, 'T1', ['everyone'])
  expect(await countSources(store.pool, { workspace: 'T1', audiences })).toBe(2)
  expect(await countSources(store.pool, { workspace: 'T1', audiences: [] })).toBe(0)
})

test('a narrower audience holds at once, for words and for vectors', async () => {
  await shelve({ page: 'fox' })
  await relabelSource(store.pool, { workspace: 'T1', source: 'handbook' }, ['channel:C1'])
  expect(await titles('fox', meaning('fox'))).toEqual([])
  expect(await titles('fox', { scopes: ['channel:C1'], ...meaning('fox') })).toEqual(['page'])
})

test('a rare audience loses nothing to the many passages it may not read', async () => {
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`p${n}`, `fox number ${n}`]))
  await shelve(many)
  await shelve(
    { secret: 'fox of the few with many more words in it, so that it ranks last' },
    { audience: ['channel:C9'] },
  )
  expect(await titles('fox', { scopes: ['channel:C9'], ...meaning('fox') })).toEqual(['secret'])
  expect(await titles('fox', { scopes: ['channel:C9'] })).toEqual(['secret'])
})

test('a search is one statement, planned once whoever asks whatever, and its vector arrives as it was sent', async () => {
  await shelve({ page: 'fox', other: 'an owl' })
  await shelve({ secret: 'fox' }, { audience: ['channel:C1'] })
  const client = await store.pool.connect()
  try {
    const ask = async (query: string, scopes: string[]) =>
      recallPassages(client, {
        workspace: 'T1',
        audiences: await audiencesNaming(client, 'T1', scopes),
        query,
        language: 'en',
        limit: 10,
        strategy: best,
        fusion: FUSION,
        ...meaning(query),
      })
    const countPlans = async () => {
      const { rows } = await client.query<{ own: number; all: number }>(
        `select coalesce(sum(custom_plans), 0)::int as own, coalesce(sum(custom_plans + generic_plans), 0)::int as all
         from pg_prepared_statements`,
      )
      return rows[0] ?? { own: 0, all: 0 }
    }
    const before = await countPlans()
    for (let n = 0; n < 15; n += 1) {
      expect((await ask('fox', ['everyone'])).map((hit) => hit.title)).toEqual(['page', 'other'])
      expect((await ask('owl', ['everyone', 'channel:C1']))[0]?.title).toBe('other')
    }
    const after = await countPlans()
    // PostgreSQL plans a statement five times for its values before it says that one plan does.
    expect(after.all - before.all).toBe(30)
    expect(after.own - before.own).toBeLessThanOrEqual(5)
  } finally {
    client.release()
  }
})

const scope = fc.constantFrom('everyone', 'channel:C1', 'channel:C2', 'channel:C3', 'user:U1')
const library = fc.array(
  fc.record({
    workspace: fc.constantFrom('T1', 'T2'),
    source: fc.constantFrom('a', 'b', 'c'),
    audience: fc.uniqueArray(scope, { minLength: 1, maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 8 },
)

test('exactly the readable passages come back, in any library, for any scopes', async () => {
  await fc.assert(
    fc.asyncProperty(
      library,
      fc.array(
        fc.record({
          workspace: fc.constantFrom('T1', 'T2'),
          scopes: fc.uniqueArray(scope, { maxLength: 3 }),
          sources: fc.option(fc.uniqueArray(fc.constantFrom('a', 'b', 'c')), { nil: undefined }),
          withVector: fc.boolean(),
          strategy: fc.constantFrom(best, 'any-word' as const),
          much: fc.boolean(),
        }),
        { minLength: 1, maxLength: 5 },
      ),
      async (documents, searches) => {
        await store.pool.query('delete from documents')
        for (const [n, { workspace, source, audience }] of documents.entries())
          await shelve({ [`d${n}`]: 'the same fox' }, { workspace, source, audience })
        for (const { sources, withVector, much, ...search } of searches) {
          if (much) await pretendMuch()
          else await countWords(store.pool)
          const readable = documents.flatMap((document, n) =>
            document.workspace === search.workspace &&
            (sources === undefined || sources.includes(document.source)) &&
            document.audience.some((one) => search.scopes.includes(one))
              ? [`d${n}`]
              : [],
          )
          const found = await titles('fox', {
            ...search,
            ...(sources ? { sources } : {}),
            ...(withVector ? meaning('fox') : {}),
          })
          expect(found.sort()).toEqual(readable.sort())
        }
      },
    ),
    { numRuns: 25 },
  )
})
