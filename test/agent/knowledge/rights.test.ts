import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { unreadable } from '../../../src/agent/knowledge/hold.ts'
import { recall } from '../../../src/agent/knowledge/recall.ts'
import { openRights } from '../../../src/agent/knowledge/rights.ts'
import { openWorkspace, type Workspace } from '../../../src/demo/workspace/open.ts'
import type { Change } from '../../../src/slack/changes.ts'
import { putDocuments } from '../../../src/store/documents.ts'
import { doubtPerson, doubtScope } from '../../../src/store/members.ts'
import type { Store } from '../../../src/store/open.ts'
import { openSlack, type Slack } from '../../support/slack.ts'
import { openTestStore } from '../../support/store.ts'

let store: Store
beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

let teams = 0

/** A workspace, and what the product knows of it: events as the listener notes them, recalls as runs make them. */
async function openPlace() {
  const team = `T${++teams}`
  const workspace = await openWorkspace({ team: { id: team, name: 'Test' } })
  let lost = false
  const note = (change: Change) =>
    'scope' in change
      ? doubtScope(store.pool, team, change.scope)
      : doubtPerson(store.pool, team, change.person, change.kind)
  const slack: Slack = await openSlack(
    { botToken: workspace.botToken, appToken: workspace.appToken, apiUrl: workspace.apiUrl },
    {
      overhear: async () => {},
      changed: async (change) => (lost ? undefined : await note(change)),
      intake: async () => 'not-for-us',
      handle: async () => {},
      open: async () => '',
      check: async () => undefined,
      home: async () => ({ type: 'home', blocks: [] }),
    },
  )
  await slack.start()
  const rights = openRights({ pool: store.pool, roster: slack.speak.roster })
  const settled = () => workspace.until(() => workspace.pending() === 0, 30_000)
  return {
    team,
    workspace,
    rights,
    settled,
    /** What happens in `work` is not told to us, and so many seconds pass. */
    async unheard(work: () => Promise<unknown>, seconds = 61) {
      lost = true
      await work()
      await settled()
      lost = false
      await store.pool.query(
        `update scopes set known_at = known_at - $2 * interval '1 s', asked_at = asked_at - $2 * interval '1 s'
         where workspace = $1`,
        [team, seconds],
      )
    },
    /** Documents that all say the same, so that who may read them is all that decides. */
    async shelve(shelves: Record<string, string[]>) {
      for (const [title, audience] of Object.entries(shelves))
        await putDocuments(store.pool, { workspace: team, source: 'handbook' }, [
          {
            document: { path: title, title, hash: title, audience },
            chunks: [{ n: 1, heading: '', text: 'The lighthouse is red.', start: 0, end: 22 }],
          },
        ])
    },
    /** What the background asks for within a minute. */
    async keep() {
      for (let round = 0; round < 4; round++) await rights.keep(team)
    },
    async ask(readers: string) {
      const context = { pool: store.pool, rights, strategy: 'any-word' as const }
      const found = await recall(context, { workspace: team, readers, query: 'lighthouse', limit: 100 })
      return { titles: found.passages.map((hit) => hit.title).sort(), degraded: found.degraded }
    },
    async [Symbol.asyncDispose]() {
      await slack.close(500)
      await workspace.close()
    },
  }
}

const WORDS_ONLY = 'keyword search only: there is no embedding model'

describe('what all who can read a reply may read', () => {
  test('a public channel is open to every full member, a private one to its members', async () => {
    await using place = await openPlace()
    const { users, channels } = place.workspace
    const plan = place.workspace.createChannel('plan', [users.ana, users.ben], { private: true })
    await place.shelve({
      all: ['everyone'],
      ops: [`channel:${channels.ops}`],
      plan: [`channel:${plan}`],
      oncall: ['group:S0ONCALL'],
      either: ['group:S0ONCALL', `user:${users.ana}`],
      ana: [`user:${users.ana}`],
    })
    expect((await place.ask(`channel:${channels.general}`)).titles).toEqual(['all', 'ops'])
    expect((await place.ask(`channel:${plan}`)).titles).toEqual(['all', 'either', 'ops', 'plan'])
    expect((await place.ask(`user:${users.ana}`)).titles).toEqual(['all', 'ana', 'either', 'ops', 'plan'])
    expect((await place.ask(`user:${users.chloe}`)).titles).toEqual(['all', 'either', 'oncall', 'ops'])
    expect((await place.ask(`user:${users.gil}`)).titles).toEqual([])
    expect((await place.ask(`channel:${channels.general}`)).degraded).toBe(WORDS_ONLY)
  })

  test('a guest who comes in narrows it at once, and widens it at once who goes', async () => {
    await using place = await openPlace()
    const { users, channels } = place.workspace
    await place.shelve({ all: ['everyone'], ops: [`channel:${channels.ops}`] })
    const ask = async () => (await place.ask(`channel:${channels.ops}`)).titles
    expect(await ask()).toEqual(['all', 'ops'])
    await place.workspace.invite(users.gil, channels.ops)
    await place.settled()
    expect(await ask()).toEqual(['ops'])
    await place.workspace.leave(users.gil, channels.ops)
    await place.settled()
    expect(await ask()).toEqual(['all', 'ops'])
    await place.workspace.share(channels.ops, true)
    await place.settled()
    expect(await ask()).toEqual(['ops'])
  })

  test('whoever is removed from a channel has lost it at the next recall, told of it or not', async () => {
    await using place = await openPlace()
    const { workspace } = place
    const { ana, ben } = workspace.users
    const plan = workspace.createChannel('plan', [ana, ben], { private: true })
    await place.shelve({ plan: [`channel:${plan}`] })
    const ask = async (user: string) => (await place.ask(`user:${user}`)).titles
    expect(await ask(ana)).toEqual(['plan'])
    expect(await ask(ben)).toEqual(['plan'])
    await workspace.leave(ana, plan)
    await place.settled()
    expect(await ask(ana)).toEqual([])
    await place.unheard(() => workspace.leave(ben, plan))
    expect(await ask(ben)).toEqual([])
  })

  test('what a run has read is taken from it where its readers may not read it any more', async () => {
    await using place = await openPlace()
    const { workspace, rights, team } = place
    const { ana, ben } = workspace.users
    const plan = workspace.createChannel('plan', [ana, ben], { private: true })
    await place.shelve({ all: ['everyone'], plan: [`channel:${plan}`] })
    const { rows } = await store.pool.query<{ id: string }>(
      'select p.id from passages p join documents d on d.id = p.document where d.workspace = $1 order by d.path',
      [team],
    )
    const [all = '', planned = ''] = rows.map((row) => row.id)
    const lost = (readers: string) =>
      unreadable({ pool: store.pool, rights }, { workspace: team, readers }, [all, planned])
    expect(await lost(`user:${ben}`)).toEqual([])
    await place.unheard(() => workspace.leave(ben, plan))
    expect(await lost(`user:${ben}`)).toEqual([planned])
    expect(await lost(`user:${ana}`)).toEqual([])
  })

  test('what is known of one scope does not vouch for another', async () => {
    await using place = await openPlace()
    const { workspace } = place
    const { ana, ben } = workspace.users
    const plan = workspace.createChannel('plan', [ana, ben], { private: true })
    const other = workspace.createChannel('other', [ben], { private: true })
    await place.shelve({ both: [`channel:${plan}`, `channel:${other}`] })
    expect((await place.ask(`user:${ana}`)).titles).toEqual(['both'])
    await place.unheard(() => workspace.leave(ana, plan))
    expect((await place.ask(`channel:${other}`)).titles).toEqual(['both'])
    expect((await place.ask(`user:${ana}`)).titles).toEqual([])
  })

  test('while Slack does not tell, what is surely theirs is given, and it is said', async () => {
    await using place = await openPlace()
    const { workspace } = place
    const { users, channels } = workspace
    const plan = workspace.createChannel('plan', [users.ana], { private: true })
    await place.shelve({
      all: ['everyone'],
      general: [`channel:${channels.general}`],
      plan: [`channel:${plan}`],
    })
    expect((await place.ask(`user:${users.ana}`)).titles).toEqual(['all', 'general', 'plan'])
    await workspace.invite(users.ben, plan)
    await workspace.invite(users.gil, channels.general)
    await place.settled()
    workspace.misbehave.refuse('conversations.members', 'internal_error', 500)
    expect(await place.ask(`user:${users.ana}`)).toEqual({
      titles: ['all'],
      degraded: `${WORDS_ONLY}; what Slack does not say who may read was left out`,
    })
    expect(await place.ask(`channel:${channels.general}`)).toEqual({
      titles: ['general'],
      degraded: `${WORDS_ONLY}; Slack does not say who can read this, so only what is surely theirs was searched`,
    })
    workspace.misbehave.refuse('conversations.members', 'internal_error', 0)
    expect((await place.ask(`user:${users.ana}`)).titles).toEqual(['all', 'general', 'plan'])
  })

  test('what nobody asked for is asked for in the background', async () => {
    await using place = await openPlace()
    const { workspace } = place
    const plan = workspace.createChannel('plan', [workspace.users.ana], { private: true })
    await place.shelve({ plan: [`channel:${plan}`], oncall: ['group:S0ONCALL'] })
    await place.rights.keep(place.team)
    const calls = workspace.calls.map((call) => call.method)
    for (const method of ['users.list', 'conversations.members', 'usergroups.users.list'])
      expect(calls).toContain(method)
    await place.rights.keep(place.team)
    expect(workspace.calls.length).toBe(calls.length)
    expect((await place.ask(`user:${workspace.users.ana}`)).titles).toEqual(['plan'])
  })

  test('of a large channel the workspace is listed once, and no person is asked for alone', async () => {
    await using place = await openPlace()
    const { workspace } = place
    workspace.hire(600)
    await place.settled()
    await place.shelve({ all: ['everyone'], oncall: ['group:S0ONCALL'] })
    expect((await place.ask(`channel:${workspace.channels.general}`)).titles).toEqual(['all'])
    const calls = () => workspace.calls.map((call) => call.method)
    expect(calls().filter((method) => method === 'users.info')).toEqual([])
    const before = calls().length
    expect((await place.ask(`channel:${workspace.channels.general}`)).titles).toEqual(['all'])
    expect(calls().length).toBe(before)
  }, 180_000)
})

/** A workspace as plain sets, beside the real one: the slow truth that recalls are held against. */
type Truth = {
  kinds: Map<string, 'full' | 'guest' | 'stranger' | 'gone'>
  channels: Map<string, { open: boolean; shared: boolean; members: Set<string> }>
  groups: Map<string, Set<string>>
}

/** Stands for those of another organisation who are not in a shared channel and can open it all the same. */
const UNLISTED = 'unlisted'

function isIn({ kinds, channels, groups }: Truth, person: string, scope: string): boolean {
  const full = kinds.get(person) === 'full'
  if (scope === 'everyone') return full
  const id = scope.slice(scope.indexOf(':') + 1)
  if (scope.startsWith('user:')) return id === person
  if (scope.startsWith('group:')) return groups.get(id)?.has(person) ?? false
  const channel = channels.get(id)
  if (person === `${UNLISTED} ${id}`) return channel?.shared ?? false
  return channel ? channel.members.has(person) || (channel.open && full) : false
}

/** Everybody who can read a reply there, one by one. */
function readersOf(truth: Truth, scope: string): string[] {
  const strangers = [...truth.channels.keys()].map((id) => `${UNLISTED} ${id}`)
  return [...truth.kinds.keys(), ...strangers].filter((person) => isIn(truth, person, scope))
}

const who = fc.nat(7)
const where = fc.nat(4)
const scope = fc.oneof(
  { weight: 1, arbitrary: fc.constant('everyone') },
  { weight: 4, arbitrary: where.map((at) => `channel:${at}`) },
  { weight: 2, arbitrary: fc.constantFrom('group:0', 'group:1') },
  { weight: 1, arbitrary: who.map((at) => `user:${at}`) },
)
const move = fc.oneof(
  fc.record({ do: fc.constant('join' as const), who, where }),
  fc.record({ do: fc.constant('leave' as const), who, where }),
  fc.record({ do: fc.constant('regroup' as const), group: fc.nat(1), people: fc.uniqueArray(who) }),
  fc.record({ do: fc.constant('restrict' as const), who: fc.constantFrom(0, 1, 6), guest: fc.boolean() }),
  fc.record({ do: fc.constant('share' as const), where, on: fc.boolean() }),
  fc.record({ do: fc.constant('end' as const), who: fc.constantFrom(4, 5) }),
)
const turn = fc.oneof(
  { weight: 3, arbitrary: fc.record({ move, heard: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      ask: fc.oneof(
        where.map((at) => `channel:${at}`),
        who.map((at) => `user:${at}`),
      ),
    }),
  },
)

/** Four full members, then two whose accounts may be closed, a guest and somebody of another organisation. */
async function populate(place: Awaited<ReturnType<typeof openPlace>>) {
  const { workspace } = place
  const { ana, ben, chloe, gil } = workspace.users
  const people = [ana, ben, chloe, ...workspace.hire(3), gil, workspace.welcome('zoe', 'stranger')]
  const open = { members: new Set<string>(), shared: false, open: true }
  const closed = { members: new Set<string>(), shared: false, open: false }
  const channels = new Map(
    ['first', 'second', 'third', 'fourth', 'fifth'].map((name, at) => [
      workspace.createChannel(name, [], { private: at > 1 }),
      structuredClone(at > 1 ? closed : open),
    ]),
  )
  const groups = [workspace.groups.oncall, workspace.createGroup('night')]
  await workspace.regroup(workspace.groups.oncall, [])
  const truth: Truth = {
    kinds: new Map(people.map((id, at) => [id, at < 6 ? 'full' : at === 6 ? 'guest' : 'stranger'])),
    channels,
    groups: new Map(groups.map((id) => [id, new Set()])),
  }
  const places = [...channels.keys()]
  const named = (scope: string) => {
    const [kind, at] = scope.split(':')
    const ids = kind === 'user' ? people : kind === 'group' ? groups : places
    return at === undefined ? scope : `${kind}:${ids[Number(at)]}`
  }
  return { truth, people, places, groups, named }
}

type Populated = Awaited<ReturnType<typeof populate>>

/** Does one move in the workspace and in the truth, where Slack allows it. */
async function act(workspace: Workspace, { truth, people, places, groups }: Populated, one: Move) {
  const person = 'who' in one ? (people[one.who] ?? '') : ''
  const kind = truth.kinds.get(person)
  const id = 'where' in one ? (places[one.where] ?? '') : ''
  const channel = truth.channels.get(id)
  if (kind === 'gone') return
  if (one.do === 'join' && channel && (kind !== 'stranger' || channel.shared)) {
    channel.members.add(person)
    await workspace.invite(person, id)
  } else if (one.do === 'leave') {
    channel?.members.delete(person)
    await workspace.leave(person, id)
  } else if (one.do === 'regroup') {
    const members = one.people
      .map((at) => people[at] ?? '')
      .filter((member) => {
        const kind = truth.kinds.get(member)
        return kind === 'full' || kind === 'guest'
      })
    truth.groups.set(groups[one.group] ?? '', new Set(members))
    await workspace.regroup(groups[one.group] ?? '', members)
  } else if (one.do === 'restrict' && kind !== 'stranger') {
    truth.kinds.set(person, one.guest ? 'guest' : 'full')
    await workspace.restrict(person, one.guest)
  } else if (one.do === 'share' && channel) {
    channel.shared = one.on
    if (!one.on)
      for (const member of channel.members)
        if (truth.kinds.get(member) === 'stranger') channel.members.delete(member)
    await workspace.share(id, one.on)
  } else if (one.do === 'end') {
    truth.kinds.set(person, 'gone')
    for (const { members } of [...truth.channels.values()]) members.delete(person)
    for (const members of truth.groups.values()) members.delete(person)
    await workspace.deactivate(person)
  }
}

type Move = typeof move extends fc.Arbitrary<infer M> ? M : never

test('in any workspace, however people move, a recall gives exactly what every reader may read', async () => {
  const seen = { given: 0, withheld: 0, recalls: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uniqueArray(scope, { minLength: 1, maxLength: 3 }), { minLength: 3, maxLength: 8 }),
      fc.array(turn, { minLength: 4, maxLength: 24 }),
      async (audiences, turns) => {
        await using place = await openPlace()
        const populated = await populate(place)
        const { truth, named } = populated
        const documents = audiences.map((scopes, n) => ({ title: `d${n}`, scopes: scopes.map(named) }))
        await place.shelve(Object.fromEntries(documents.map((one) => [one.title, one.scopes])))
        await place.settled()
        await place.keep()
        for (const one of turns) {
          if ('move' in one) {
            // What is not heard of somebody's kind is known half an hour later only: such a move is always heard.
            const heard = one.heard || one.move.do === 'restrict' || one.move.do === 'end'
            const moving = () => act(place.workspace, populated, one.move)
            if (heard) await moving()
            // What takes away is noticed after a minute, what gives by the round in the background.
            else if (one.move.do === 'leave') await place.unheard(moving)
            else {
              await place.unheard(moving, 11 * 60)
              await place.keep()
            }
            await place.settled()
            continue
          }
          const scope = named(one.ask)
          if (truth.kinds.get(scope.slice(5)) === 'gone') continue
          const readers = readersOf(truth, scope)
          const expected = documents.filter(
            ({ scopes }) =>
              scopes.includes(scope) ||
              (readers.length > 0 &&
                readers.every((person) => scopes.some((one) => isIn(truth, person, one)))),
          )
          const { titles } = await place.ask(scope)
          expect(titles).toEqual(expected.map((one) => one.title).sort())
          seen.recalls += 1
          seen.given += titles.length
          seen.withheld += documents.length - titles.length
        }
      },
    ),
    { numRuns: Number(process.env.RIGHTS_RUNS ?? 25) },
  )
  expect(seen.given).toBeGreaterThan(20)
  expect(seen.withheld).toBeGreaterThan(20)
}, 600_000)
