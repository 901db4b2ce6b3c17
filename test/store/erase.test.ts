import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inboxKey } from '../../src/core/heard.ts'
import type { Numbered, Step } from '../../src/core/run.ts'
import { forgetDoor } from '../../src/doors/forget.ts'
import {
  forgetOtherSources,
  putDocuments,
  refreshStatistics,
  removeDocuments,
} from '../../src/store/documents.ts'
import { forgetPerson, sweepOld } from '../../src/store/erase.ts'
import { explainRating } from '../../src/store/feedback.ts'
import { followChannel } from '../../src/store/followed.ts'
import { writeInbox } from '../../src/store/inbox.ts'
import { appendSteps, takeLease } from '../../src/store/leases.ts'
import { doubtPerson } from '../../src/store/members.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import { beginPost, findPost } from '../../src/store/posts.ts'
import { findPreferences, putPreferences } from '../../src/store/preferences.ts'
import { appendFromOutside, createRun, lockRun, type Run, readSteps } from '../../src/store/runs.ts'
import { addSettings, findSettings } from '../../src/store/settings.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { keepTurn, lockChannel } from '../../src/store/turns.ts'
import { prepareSearch } from '../../src/store/words.ts'
import { copyTemplate } from '../support/store.ts'

let files: { dir: string; remove(): Promise<void> }
let store: Store
beforeAll(async () => {
  files = await copyTemplate()
  store = await openStore({ dataDir: files.dir })
  await prepareSearch(store.pool)
})
afterAll(async () => {
  await store.close()
  await files.remove()
})

const at = '2026-05-02T10:00:00.000Z'
const shelf = { workspace: 'T1', source: 'chat' }

async function shelve(title: string, text: string, at = title): Promise<string> {
  const document = {
    path: at,
    title,
    hash: text,
    audience: ['everyone'],
    link: 'https://x/a',
    date: '2026-05-02',
  }
  const chunks = [{ n: 1, heading: 'H', text, start: 0, end: text.length }]
  await putDocuments(store.pool, shelf, [{ document, chunks }])
  const { rows } = await store.pool.query<{ id: string }>(
    'select p.id from passages p join documents d on d.id = p.document where d.path = $1',
    [at],
  )
  return rows[0]?.id ?? ''
}

const recalled = (...passages: [string, string, string][]): Step => ({
  kind: 'recalled',
  at,
  query: 'why?',
  passages: passages.map(([passage, title, text], i) => ({
    n: i + 1,
    passage,
    title,
    heading: 'H',
    link: 'https://x/a',
    date: '2026-05-02',
    text,
  })),
  sources: 1,
  ms: 1,
})
const answered = (text: string, calls: { id: string; tool: string; args: unknown }[] = []): Step => ({
  kind: 'answered',
  at,
  seen: 2,
  text,
  calls,
  finish: 'stop',
  model: 'm',
  promptHash: 'h',
  firstTokenMs: 1,
  ms: 1,
  attempts: 1,
})

let message = 0
async function run(asker: string, text: string, ...steps: Step[]): Promise<Run> {
  const ts = `17000${++message}`
  const made = await createRun(
    store.pool,
    { workspace: 'T1', channel: 'C1', thread: ts, message: ts, asker, agent: 'quorum', dm: false },
    { kind: 'asked', at, user: asker, text, ts },
  )
  if (!made) throw new Error('no run')
  if (steps.length > 0)
    await inTransaction(store.pool, async (tx) => {
      const locked = await lockRun(tx, made.id)
      if (locked) await appendFromOutside(tx, locked, ...steps)
    })
  return made
}
const end = (one: Run) =>
  store.pool.query('update runs set active = false, finished_at = now() where id = $1', [one.id])
const passagesOf = (steps: Numbered[]) => steps.flatMap((s) => (s.kind === 'recalled' ? s.passages : []))

test('what a step quotes is kept as long as the passage; the step stays', async () => {
  const [kept, gone] = [await shelve('Kept', 'stays'), await shelve('Gone', 'goes away')]
  const one = await run(
    'U1',
    'q',
    recalled([kept, 'Kept', 'stays'], [gone, 'Gone', 'goes away']),
    answered('a'),
  )
  const before = await readSteps(store.pool, one.id)
  await removeDocuments(store.pool, shelf, ['Gone'])
  const after = await readSteps(store.pool, one.id)
  expect(after.map(({ n, kind }) => [n, kind])).toEqual(before.map(({ n, kind }) => [n, kind]))
  expect(passagesOf(after)).toEqual([
    passagesOf(before)[0],
    { n: 2, passage: gone, title: '(removed)', heading: '', text: '(removed)' },
  ])
  await forgetOtherSources(store.pool, 'T1', [])
  expect(JSON.stringify(passagesOf(await readSteps(store.pool, one.id)))).not.toMatch(/stays|Kept/)
})

test('what a step quotes from around a passage goes with the passage it is of', async () => {
  const [kept, gone] = [await shelve('Kept', 'stays'), await shelve('Gone', 'goes away')]
  const step = recalled([kept, 'Kept', 'stays']) as Extract<Step, { kind: 'recalled' }>
  const around = [
    { passage: gone, side: 'before' as const, text: 'goes away' },
    { passage: kept, side: 'after' as const, text: 'stays as well' },
  ]
  const passages = step.passages.map((one) => ({ ...one, around }))
  const one = await run('U1', 'q', { ...step, passages })
  await removeDocuments(store.pool, shelf, ['Gone'])
  expect(passagesOf(await readSteps(store.pool, one.id))).toEqual([
    { ...step.passages[0], around: around.slice(1) },
  ])
})

test('where a page is rewritten, the old words go, and the page keeps its place and the name it has now', async () => {
  const old = await shelve('Old name', 'old words', 'page')
  const one = await run('U1', 'q', recalled([old, 'Old name', 'old words']))
  await shelve('New name', 'new words', 'page')
  expect(passagesOf(await readSteps(store.pool, one.id))).toEqual([
    {
      n: 1,
      passage: old,
      title: 'New name',
      heading: '',
      link: 'https://x/a',
      date: '2026-05-02',
      text: '(removed)',
    },
  ])
})

test('a page that is read again and is the same leaves everything as it was', async () => {
  const same = await shelve('Same', 'same words')
  const one = await run('U1', 'q', recalled([same, 'Same', 'same words']))
  await shelve('Same', 'same words')
  expect(passagesOf(await readSteps(store.pool, one.id))[0]?.text).toBe('same words')
})

/** A word that stands nowhere else, wherever a person's words can stand. */
const WORD = 'zanzibarquux'
const PERSON = 'U0ZQX'

const read = (...from: string[]): Step => ({
  kind: 'read',
  at,
  of: 1,
  said: from.map((one) => ({ from: one, by: 'person', ts: '1.0', text: `said by ${one}` })),
  files: from.map((one) => ({ name: 'a.txt', from: one, text: `shared by ${one}` })),
  ms: 1,
})

test('what a run of others read of a person in its thread goes, and the answer made of it', async () => {
  const [one, other] = [
    await run('U1', 'q', read('U2', 'UZOE'), answered('Zoe says so')),
    await run('U1', 'q', read('U2'), answered('Two says so')),
  ]
  const quoting = await run('U1', 'q', answered('She quotes herself'))
  await store.pool.query(
    `update steps set body = body || '{"quoted": "as Zoe put it", "quotedBy": "UZOE"}' where run = $1 and n = 1`,
    [quoting.id],
  )
  const { steps } = await forgetPerson(store.pool, 'T1', 'UZOE')
  expect(steps).toBe(4)
  expect(JSON.stringify(await readSteps(store.pool, quoting.id))).not.toMatch(/Zoe|UZOE|herself/)
  const kept = JSON.stringify(await readSteps(store.pool, one.id))
  expect(kept).toContain('said by U2')
  expect(kept).toContain('shared by U2')
  expect(kept).not.toMatch(/Zoe|UZOE/)
  expect(JSON.stringify(await readSteps(store.pool, other.id))).toContain('Two says so')
})

async function live() {
  const place = { workspace: 'T1', channel: 'C9' }
  const row = {
    ...place,
    source: 'chat',
    name: 'ops',
    private: false,
    archived: false,
    floor: '1600000000.000000',
  }
  const say = (ts: string, author: string, text: string) =>
    inTransaction(store.pool, async (tx) => {
      await lockChannel(tx, place)
      await keepTurn(tx, place, { ts, author, app: false, text })
    })
  await inTransaction(store.pool, (tx) => followChannel(tx, row))
  await say('1700001000.000100', PERSON, `the ${WORD} is broken`)
  await say('1700001001.000100', 'U2', 'then mend it')
  const { rows } = await store.pool.query(`select distinct path from turns where author = $1`, [PERSON])
  const quoted = await shelve(`Of ${WORD}`, `${PERSON}: the ${WORD} is broken`, rows[0]?.path)
  return { say, quoted }
}

const FORGETFUL = 'U0ZQY'
const SAID = 'kilimandjarro'
const proposed = (call: { id: string; tool: string; args: unknown }, approval: string, more = {}): Step => ({
  kind: 'proposed',
  at,
  call,
  verdict: 'ask',
  why: `it writes ${SAID}`,
  approval,
  ...more,
})
const approve = (id: string, of: Run, state: string, call = 'c1') =>
  store.pool.query(
    `insert into approvals (id, run, workspace, call, tool, server, args, hash, asker, approvers, state, expires_at)
     values ($1, $2, 'T1', $3, 'files__write', 'files', $4, 'h', 'U2', $5, $6, now() + interval '1 hour')`,
    [id, of.id, call, JSON.stringify({ text: SAID }), JSON.stringify([[FORGETFUL, 'U2']]), state],
  )
const argsOf = async (of: Run) =>
  (
    await store.pool.query<{ state: string; args: unknown }>(
      'select state, args from approvals where run = $1 order by id',
      [of.id],
    )
  ).rows

test('what was made of words that have changed since goes too, and calls made of them are not made', async () => {
  const place = { workspace: 'T1', channel: 'C8' }
  const row = {
    ...place,
    source: 'chat',
    name: 'ops',
    private: false,
    archived: false,
    floor: '1600000000.0',
  }
  await inTransaction(store.pool, (tx) => followChannel(tx, row))
  const say = (ts: string, thread?: string) =>
    inTransaction(store.pool, async (tx) => {
      await lockChannel(tx, place)
      const author = thread ? 'U2' : FORGETFUL
      await keepTurn(tx, place, { ts, author, app: false, text: SAID, ...(thread ? { thread } : {}) })
    })
  await say('1700002000.000100')
  const talk = 'C8/talk/1700002000.000100'
  const old = await shelve(`#ops: ${SAID}`, `${SAID} of old`, talk)
  const quotes = (path: string): Step => {
    const step = recalled([old, `#ops: ${SAID}`, `${SAID} of old`]) as Extract<Step, { kind: 'recalled' }>
    return { ...step, passages: step.passages.map((one) => ({ ...one, path, source: 'chat' })) }
  }
  const ids = [1, 2].map((n) => `00000000-0000-4000-8000-0000000000b${n}`)
  const [first = '', second = ''] = ids
  const call = { id: 'c1', tool: 'files__write', args: { text: SAID } }
  const ended = await run(
    'U2',
    'what is broken?',
    quotes(talk),
    answered(`The ${SAID}`, [call]),
    proposed(call, first, { remembered: `U2, ${FORGETFUL}`, approvers: [[FORGETFUL, 'U2']] }),
    { kind: 'returned', at, call: 'c1', outcome: 'succeeded', text: `wrote ${SAID}`, asked: SAID, ms: 1 },
    { kind: 'finished', at, outcome: 'answered', text: `The ${SAID}` },
  )
  await approve(first, ended, 'succeeded')
  await end(ended)
  const waiting = await run('U2', 'mend it', quotes(talk), answered('', [call]), proposed(call, second))
  await approve(second, waiting, 'pending')
  const other = await run('U2', 'else?', quotes('C8/talk/1600000000.000100'), answered('not theirs'))
  // The talk becomes a thread, and is written anew: no passage is left that the runs have read.
  await say('1700002060.000100', '1700002000.000100')
  await removeDocuments(store.pool, shelf, [talk])

  expect(await forgetPerson(store.pool, 'T1', FORGETFUL)).toMatchObject({ messages: 1, runs: 0 })
  const steps = async (of: Run) => JSON.stringify(await readSteps(store.pool, of.id))
  for (const of of [ended, waiting]) expect(await steps(of)).not.toMatch(new RegExp(`${SAID}|${FORGETFUL}`))
  expect(await steps(ended)).toContain('U2, forgotten')
  expect(await steps(other)).toContain('not theirs')
  expect(await argsOf(ended)).toEqual([{ state: 'succeeded', args: {} }])
  expect(await argsOf(waiting)).toEqual([{ state: 'void', args: {} }])
  const last = (await readSteps(store.pool, waiting.id)).at(-1)
  expect(last).toMatchObject({ kind: 'decided', outcome: 'void', approval: second })
})

test('what they edited for others loses its words, and what was posted for what they pressed is forgotten', async () => {
  const id = '00000000-0000-4000-8000-0000000000c1'
  const call = { id: 'c1', tool: 'files__write', args: { text: SAID } }
  const one = await run('U2', 'write', answered('', [call]), proposed(call, id, { editedBy: FORGETFUL }))
  await approve(id, one, 'pending')
  const post = (owner: string) =>
    store.pool.query(`insert into posts (owner, part, channel) values ($1, 'notice', 'C1')`, [owner])
  const theirs = `pressed:T1:C1:stop:subject:${FORGETFUL}:17.1`
  for (const owner of [theirs, 'pressed:T1:C1:stop:subject:U0OTHER:17.1']) await post(owner)
  await forgetPerson(store.pool, 'T1', FORGETFUL)
  expect(await argsOf(one)).toEqual([{ state: 'void', args: {} }])
  const { rows } = await store.pool.query(`select owner from posts where owner like 'pressed:%'`)
  expect(rows).toEqual([{ owner: 'pressed:T1:C1:stop:subject:U0OTHER:17.1' }])
})

test('a person is forgotten to the last byte of the files; what others said stays', async () => {
  const { say, quoted } = await live()
  const call = { id: 'c1', tool: 'files__write', args: { text: WORD } }
  const approval = '00000000-0000-4000-8000-000000000001'
  const own = await run(
    PERSON,
    `where is my ${WORD}?`,
    answered(`Your ${WORD} is here`, [call]),
    {
      kind: 'proposed',
      at,
      call,
      verdict: 'ask',
      why: `writes ${WORD}`,
      approval,
      risk: WORD,
      editedBy: PERSON,
    },
    { kind: 'decided', at, approval, outcome: 'approved', by: PERSON, why: WORD, input: { a: WORD } },
    { kind: 'returned', at, call: 'c1', outcome: 'succeeded', text: `wrote ${WORD}`, ms: 1 },
    { kind: 'finished', at, outcome: 'answered', text: `The ${WORD} is written` },
  )
  await store.pool.query(
    `insert into approvals (id, run, workspace, call, tool, server, args, hash, asker, approvers, state, expires_at, votes)
     values ($1, $2, 'T1', 'c1', 'files__write', 'files', $3, 'h', $4, '[]', 'succeeded', now(), array[$4])`,
    [approval, own.id, JSON.stringify(call.args), PERSON],
  )
  await end(own)
  const waiting = await run(PERSON, `and the ${WORD} of today?`)
  const others = await run(
    'U2',
    'what is broken?',
    recalled([quoted, `Of ${WORD}`, `${PERSON}: the ${WORD} is broken`]),
    { kind: 'steered', at, user: PERSON, text: `I mean the ${WORD}`, ts: '5' },
    answered(`The ${WORD}, says ${PERSON}`),
  )
  const rated = { workspace: 'T1', channel: 'C1', run: others.id, person: PERSON }
  expect(await explainRating(store.pool, rated, { category: 'wrong', note: `no ${WORD}` })).toBe(true)
  await putPreferences(store.pool, 'T1', PERSON, { trace: 'none', language: 'de' })
  const settled = { workspace: 'T1', channel: 'C9', by: PERSON, after: '' }
  await addSettings(store.pool, settled, { approvers: ['U2', PERSON] })
  const heard = {
    kind: 'message',
    workspace: 'T1',
    channel: 'C1',
    user: PERSON,
    ts: '9',
    text: WORD,
  } as const
  await writeInbox(store.pool, { ...heard, mention: true, forOther: false, dm: false })
  await doubtPerson(store.pool, 'T1', PERSON, 'full')
  await refreshStatistics(store.pool)
  await store.pool.query('checkpoint')
  expect(filesWith(WORD).length).toBeGreaterThan(0)
  const lease = await takeLease(store.pool, waiting.id, '00000000-0000-4000-8000-0000000000aa', 60_000)

  const printed: string[] = []
  const door = { store, workspace: 'T1', print: (line: string) => printed.push(line) }
  expect(await forgetDoor([PERSON], door)).toBe(2)
  expect(filesWith(WORD).length).toBeGreaterThan(0)
  expect(await forgetDoor([PERSON, '--yes'], door)).toBe(0)
  expect(filesWith(WORD)).toEqual([])
  expect(printed.join('\n')).toMatch(/1 messages.*1 documents.*\n.*2 runs.*1 of which/)

  const words = await Promise.all([own, waiting, others].map((one) => readSteps(store.pool, one.id)))
  expect(JSON.stringify(words)).not.toContain(PERSON)
  for (const steps of words) expect(steps.map((s) => s.n)).toEqual(steps.map((_, i) => i + 1))
  expect(words[1]?.at(-1)).toMatchObject({ kind: 'finished', outcome: 'stopped' })
  expect((await store.pool.query('select 1 from feedback')).rowCount).toBe(0)
  expect(await findPreferences(store.pool, 'T1', PERSON)).toEqual({ trace: 'plan' })
  expect(await findSettings(store.pool, 'T1', 'C9')).toMatchObject({
    by: 'forgotten',
    settings: { approvers: ['U2', 'forgotten'] },
  })
  expect(words[2]?.[0]).toMatchObject({ user: 'U2', text: 'what is broken?' })
  // Whoever worked on it when it was forgotten can add nothing to it.
  if (typeof lease === 'string') throw new Error('no lease')
  expect(await appendSteps(store.pool, lease.lease, lease.run.n, [answered(WORD)])).not.toBe('recorded')

  await say('1700001000.000100', PERSON, `the ${WORD} is broken`)
  const later = `${Math.floor(Date.now() / 1000) + 60}.000100`
  await say(later, PERSON, 'something new')
  const turns = await store.pool.query(`select author, ts from turns where channel = 'C9' order by ts`)
  expect(turns.rows).toEqual([
    { author: 'U2', ts: '1700001001.000100' },
    { author: PERSON, ts: later },
  ])
  await store.close()
  expect(filesWith(WORD)).toEqual([])
  store = await openStore({ dataDir: files.dir })
})

function filesWith(word: string, dir = files.dir): string[] {
  return readdirSync(dir).flatMap((name) => {
    const file = path.join(dir, name)
    const stat = statSync(file)
    if (stat.isDirectory()) return filesWith(word, file)
    return stat.isFile() && readFileSync(file).includes(word) ? [file] : []
  })
}

test('somebody unknown is forgotten too, and twice; a name that is no id is refused', async () => {
  expect(await forgetPerson(store.pool, 'T1', 'U0NOBODY')).toMatchObject({ messages: 0, runs: 0, steps: 0 })
  expect(await forgetPerson(store.pool, 'T1', PERSON)).toMatchObject({ runs: 0, steps: 0 })
  const printed: string[] = []
  const door = { store, workspace: 'T1', print: (line: string) => printed.push(line) }
  expect(await forgetDoor(['ana', '--yes'], door)).toBe(2)
  expect(printed[0]).toContain('USER is a Slack user id')
})

test('what is older than it is kept is deleted, and nothing that is under way', async () => {
  const [old, fresh, busy] = [await run('U5', 'old'), await run('U5', 'fresh'), await run('U5', 'busy')]
  await end(old)
  await end(fresh)
  await store.pool.query(`update runs set finished_at = now() - interval '31 days' where id = $1`, [old.id])
  await store.pool.query(`update runs set created_at = now() - interval '31 days' where id = $1`, [busy.id])
  const left = async () =>
    (await store.pool.query(`select id from runs where asker = 'U5' order by created_at`)).rows.map(
      (r) => r.id,
    )
  await sweepOld(store.pool, 'T1', { inbox: 7 })
  expect(await left()).toHaveLength(3)
  const heard = { kind: 'message', workspace: 'T1', channel: 'C1', user: 'U5', ts: '77', text: 'hm' } as const
  const message = { ...heard, mention: true, forOther: false, dm: false }
  await writeInbox(store.pool, message)
  await store.pool.query(`update inbox set handled_at = now() - interval '8 days' where key = $1`, [
    inboxKey(message),
  ])
  await beginPost(store.pool, inboxKey(message), 'notice', 'C1')
  await sweepOld(store.pool, 'T1', { runs: 30, inbox: 7 })
  expect(await findPost(store.pool, inboxKey(message), 'notice')).toBeUndefined()
  expect((await left()).sort()).toEqual([fresh.id, busy.id].sort())
  expect(await readSteps(store.pool, old.id)).toEqual([])
})
