import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Limit } from '../../src/core/budget.ts'
import type { Attempt, Hold, Purpose } from '../../src/core/meter.ts'
import { type Asked, openLedger, type Short } from '../../src/store/ledger.ts'
import type { Store } from '../../src/store/open.ts'
import { createRun } from '../../src/store/runs.ts'
import { openTestStore } from '../support/store.ts'

let store: Store

beforeAll(async () => {
  store = await openTestStore()
})
afterAll(() => store.close())

const price = { prompt: 3_000_000, cached: 300_000, completion: 15_000_000 }

function limit(allowed: number, other: Partial<Limit> = {}): Limit {
  return { scope: 'workspace', holder: '', unit: 'tokens', every: 'day', allowed, ...other }
}

function ask(
  workspace: string,
  limits: Limit[],
  attempt: Partial<Attempt> = {},
  about: Partial<Purpose> = {},
): Asked {
  return {
    about: { workspace, channel: 'C1', thread: '1', user: 'UANA', agent: 'q', lane: 'interactive', ...about },
    attempt: { pool: 'p', model: 'm', tier: 'local', prompt: 100, most: 50, least: 10, ...attempt },
    limits,
    zone: 'UTC',
  }
}

const granted = (answer: Hold | { short: Short } | 'unreachable'): Hold => {
  if (typeof answer === 'string' || 'short' in answer) throw new Error(`not held: ${JSON.stringify(answer)}`)
  return answer
}

const refused = (answer: Hold | { short: Short } | 'unreachable'): Short => {
  if (typeof answer === 'string' || !('short' in answer)) throw new Error('held')
  return answer.short
}

async function windowsOf(workspace: string) {
  const found = await store.pool.query(
    'select key, allowed, used, held, raised, reached from budgets where workspace = $1 order by key',
    [workspace],
  )
  return found.rows
}

/** What the rows of the calls say the windows must hold; equal means nothing drifted. */
async function sumsOf(workspace: string) {
  const found = await store.pool.query(
    `select b.key,
       coalesce(sum(case when s.state <> 'held' then case b.unit when 'tokens' then s.tokens else s.cost end end), 0)::int8 as used,
       coalesce(sum(case when s.state = 'held' then case b.unit when 'tokens' then s.tokens else s.cost end end), 0)::int8 as held
     from budgets b left join spend s on b.id = any(s.budgets) where b.workspace = $1 group by b.id order by b.key`,
    [workspace],
  )
  return found.rows
}

const sums = (rows: { key: string; used: number; held: number }[]) =>
  rows.map(({ key, used, held }) => ({ key, used, held }))

describe('a hold', () => {
  test('takes the prompt and the output cap, and gives back what was not used', async () => {
    const workspace = randomUUID()
    await using ledger = openLedger(store.pool)
    const hold = granted(await ledger.hold(ask(workspace, [limit(1000)])))
    expect(hold.most).toBe(50)
    expect(await windowsOf(workspace)).toMatchObject([{ key: 'workspace::tokens:day', used: 0, held: 150 }])
    await hold.settle({ prompt: 90, completion: 20, sure: true })
    await hold.settle({ prompt: 90, completion: 20, sure: true })
    expect(await windowsOf(workspace)).toMatchObject([{ used: 110, held: 0 }])
  })

  test('is cut to what every window has room for, down to its least', async () => {
    const workspace = randomUUID()
    await using ledger = openLedger(store.pool)
    const both = [limit(1000), limit(130, { scope: 'user', holder: 'UANA' })]
    expect(granted(await ledger.hold(ask(workspace, both))).most).toBe(30)
    const other = [limit(1000), limit(109, { scope: 'user', holder: 'UBEN' })]
    const short = refused(await ledger.hold(ask(workspace, other)))
    expect(short).toMatchObject({
      key: 'user:UBEN:tokens:day',
      limit: other[1],
      lasting: true,
      need: 110,
      used: 0,
    })
    // All or none: the workspace's window holds nothing of the call that was not made.
    expect((await windowsOf(workspace)).find((w) => w.key.startsWith('workspace'))).toMatchObject({
      held: 130,
    })
  })

  test('of a cloud model counts money to the millionth, rounded up, and cuts the output by it', async () => {
    const workspace = randomUUID()
    await using ledger = openLedger(store.pool)
    const money = [limit(1_000, { unit: 'dollars' })]
    const cloud = { tier: 'cloud', price } as const
    // 100 prompt tokens are 300, which leaves 700: 46 tokens of output at 15.
    const hold = granted(await ledger.hold(ask(workspace, money, cloud)))
    expect(hold.most).toBe(46)
    expect(await windowsOf(workspace)).toMatchObject([{ held: 990 }])
    await hold.settle({ prompt: 100, completion: 3, cached: 99, sure: true })
    expect(await windowsOf(workspace)).toMatchObject([{ used: 78, held: 0 }])
  })

  test('that others hold the rest of says that it passes; what is used up says that it stays', async () => {
    const workspace = randomUUID()
    await using ledger = openLedger(store.pool)
    const hold = granted(await ledger.hold(ask(workspace, [limit(200)])))
    expect(refused(await ledger.hold(ask(workspace, [limit(200)])))).toMatchObject({
      lasting: false,
      held: 150,
    })
    await hold.settle({ prompt: 100, completion: 50, sure: true })
    const short = refused(await ledger.hold(ask(workspace, [limit(200)])))
    expect(short).toMatchObject({ lasting: true, used: 150, held: 0 })
    expect(Date.parse(short.ends)).toBeGreaterThan(Date.now() - 60_000)
    expect(await windowsOf(workspace)).toMatchObject([{ reached: 100 }])
  })

  test('that used more than was held is charged all the same, as a debt', async () => {
    const workspace = randomUUID()
    await using ledger = openLedger(store.pool)
    const hold = granted(await ledger.hold(ask(workspace, [limit(150)])))
    await hold.settle({ prompt: 500, completion: 50, sure: true })
    expect(await windowsOf(workspace)).toMatchObject([{ used: 550, held: 0, reached: 100 }])
  })

  test('in a window that was set later counts what was spent in it before', async () => {
    const workspace = randomUUID()
    await using ledger = openLedger(store.pool)
    const asked = {
      kind: 'asked',
      at: new Date().toISOString(),
      user: 'UANA',
      text: 'go',
      ts: '1',
    } as const
    const place = {
      workspace,
      channel: 'C1',
      thread: '1',
      message: '1',
      asker: 'UANA',
      agent: 'q',
      dm: false,
    }
    const run = await createRun(store.pool, place, asked)
    const hold = granted(await ledger.hold(ask(workspace, [], {}, { run: run?.id ?? '' })))
    await hold.settle({ prompt: 100, completion: 7, sure: true })
    const later = [
      limit(1000),
      limit(1000, { scope: 'user', holder: 'UANA' }),
      limit(1000, { scope: 'user', holder: 'UBEN' }),
      limit(1000, { scope: 'channel', holder: 'C1' }),
      limit(1000, { scope: 'agent', holder: 'q' }),
    ]
    granted(await ledger.hold(ask(workspace, later)))
    expect((await windowsOf(workspace)).map((w) => [w.key, w.used])).toEqual([
      ['agent:q:tokens:day', 107],
      ['channel:C1:tokens:day', 107],
      ['user:UANA:tokens:day', 107],
      ['user:UBEN:tokens:day', 0],
      ['workspace::tokens:day', 107],
    ])
    await store.pool.query('delete from runs where workspace = $1', [workspace])
    const left = await store.pool.query('select run, tokens from spend where workspace = $1 and state = $2', [
      workspace,
      'settled',
    ])
    expect(left.rows).toEqual([{ run: null, tokens: 107 }])
  })
})

test('a budget in dollars that is set later counts what cloud models cost, and not what a local one has as its price', async () => {
  const workspace = randomUUID()
  await using ledger = openLedger(store.pool)
  for (const tier of ['local', 'cloud'] as const) {
    const hold = granted(await ledger.hold(ask(workspace, [], { tier, price })))
    await hold.settle({ prompt: 100, completion: 0, sure: true })
  }
  const money = [limit(9_000, { unit: 'dollars' }), limit(9_000)]
  const hold = granted(await ledger.hold(ask(workspace, money, { tier: 'cloud', price })))
  await hold.settle({ prompt: 0, completion: 0, sure: true })
  expect(await windowsOf(workspace)).toMatchObject([
    { key: 'workspace::dollars:day', used: 300 },
    { key: 'workspace::tokens:day', used: 200 },
  ])
})

test('a window begins at midnight of its zone, by the clock of the database', async () => {
  const workspace = randomUUID()
  await using ledger = openLedger(store.pool)
  await ledger.hold({ ...ask(workspace, [limit(1000)]), zone: 'Asia/Kolkata' })
  await ledger.hold({ ...ask(workspace, [limit(1000, { every: 'month' })]), zone: 'UTC' })
  const found = await store.pool.query(
    `select every, begins, ends, begins <= now() and now() < ends as open from budgets where workspace = $1 order by every`,
    [workspace],
  )
  const [day, month] = found.rows
  expect(day).toMatchObject({ every: 'day', open: true })
  expect(day.begins.toISOString()).toMatch(/T18:30:00.000Z$/)
  expect(day.ends - day.begins).toBe(24 * 3_600_000)
  expect(month).toMatchObject({ every: 'month', open: true })
  expect(month.begins.toISOString()).toMatch(/-01T00:00:00.000Z$/)
  expect(month.ends.toISOString()).toMatch(/-01T00:00:00.000Z$/)
})

test('what a process that is gone held is charged at its least, once; a call that was only slow pays the rest', async () => {
  const workspace = randomUUID()
  await using alive = openLedger(store.pool)
  const lost = openLedger(store.pool, { aliveMs: 1 })
  const slow = granted(await lost.hold(ask(workspace, [limit(1000)])))
  granted(await lost.hold(ask(workspace, [limit(1000)])))
  granted(await alive.hold(ask(workspace, [limit(1000)])))
  await store.pool.query(
    `update ledgers set alive_until = now() - interval '1 second' where alive_until < now() + interval '10 seconds'`,
  )
  expect(await windowsOf(workspace)).toMatchObject([{ used: 0, held: 450 }])
  await Promise.all([alive.sweep(), alive.sweep()])
  expect(await windowsOf(workspace)).toMatchObject([{ used: 220, held: 150 }])
  await slow.settle({ prompt: 100, completion: 50, sure: true })
  expect(await windowsOf(workspace)).toMatchObject([{ used: 260, held: 150 }])
  expect(sums(await windowsOf(workspace))).toEqual(await sumsOf(workspace))
  await lost.close()
})

describe('a database that does not answer', () => {
  test('is said to be unreachable, and what was trusted is charged when it is back', async () => {
    const workspace = randomUUID()
    let away = true
    const query = (text: string, values: unknown[]) =>
      away
        ? Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }))
        : store.pool.query(text, values)
    const log: string[] = []
    const ledger = openLedger({ query } as unknown as typeof store.pool, {
      log: (_, message) => log.push(message),
    })
    expect(await ledger.hold(ask(workspace, [limit(120)]))).toBe('unreachable')
    const trusted = ledger.trust(ask(workspace, [limit(120)]))
    await trusted.settle({ prompt: 100, completion: 50, sure: true })
    expect(await windowsOf(workspace)).toEqual([])
    away = false
    await expect.poll(() => windowsOf(workspace), { timeout: 20_000 }).toMatchObject([{ used: 150, held: 0 }])
    expect(log.length).toBeGreaterThan(0)
    await ledger.close()
  })

  test('is waited for at the end, within its time: what fails the first time is charged the second', async () => {
    const workspace = randomUUID()
    let failures = 1
    const query = (text: string, values: unknown[]) =>
      text.includes('settle_spend') && failures-- > 0
        ? new Promise((_, reject) => {
            setTimeout(() => reject(Object.assign(new Error('undone'), { code: 'XX000' })), 50)
          })
        : store.pool.query(text, values)
    const ledger = openLedger({ query } as unknown as typeof store.pool)
    const hold = granted(await ledger.hold(ask(workspace, [limit(1000)])))
    const settling = hold.settle({ prompt: 100, completion: 5, sure: true })
    await ledger.close(30_000)
    expect(await windowsOf(workspace)).toMatchObject([{ used: 105, held: 0 }])
    await settling
  })

  test('that answers too late leaves nothing held', async () => {
    const workspace = randomUUID()
    let slow = true
    const query = async (text: string, values: unknown[]) => {
      const found = await store.pool.query(text, values)
      if (slow) await new Promise((resolve) => setTimeout(resolve, 300))
      return found
    }
    const ledger = openLedger({ query } as unknown as typeof store.pool, { patienceMs: 20 })
    expect(await ledger.hold(ask(workspace, [limit(1000)]))).toBe('unreachable')
    slow = false
    await expect.poll(() => windowsOf(workspace), { timeout: 20_000 }).toMatchObject([{ used: 0, held: 0 }])
    await ledger.close()
  })
})

/** The rules in a few lines, for one process that does one thing after another. */
function reference() {
  type Window = { allowed: number; used: number; held: number; dollars: boolean }
  const windows = new Map<string, Window>()
  let settled = { tokens: 0, dollars: 0 }
  const amount = (w: Window, prompt: number, completion: number) =>
    w.dollars ? Math.ceil((prompt * price.prompt + completion * price.completion) / 1e6) : prompt + completion
  return {
    windows,
    hold(limits: Limit[], { prompt, most, least }: Attempt): number | undefined {
      const mine = limits.map((l) => {
        const key = `${l.scope}:${l.holder}:${l.unit}:${l.every}`
        const before = l.scope === 'workspace' ? settled[l.unit] : 0
        const window = windows.get(key) ?? {
          allowed: 0,
          used: before,
          held: 0,
          dollars: l.unit === 'dollars',
        }
        windows.set(key, { ...window, allowed: l.allowed })
        return windows.get(key) as Window
      })
      const fits = (n: number) => mine.every((w) => w.used + w.held + amount(w, prompt, n) <= w.allowed)
      let n = most
      while (n >= least && !fits(n)) n -= 1
      if (n < least) return undefined
      for (const w of mine) w.held += amount(w, prompt, n)
      return n
    },
    settle(
      limits: Limit[],
      held: { prompt: number; most: number },
      used: { prompt: number; completion: number },
    ) {
      settled = {
        tokens: settled.tokens + used.prompt + used.completion,
        dollars:
          settled.dollars +
          Math.ceil((used.prompt * price.prompt + used.completion * price.completion) / 1e6),
      }
      for (const l of limits) {
        const w = windows.get(`${l.scope}:${l.holder}:${l.unit}:${l.every}`) as Window
        w.held -= amount(w, held.prompt, held.most)
        w.used += amount(w, used.prompt, used.completion)
      }
    },
  }
}

describe('whatever is asked, in whatever order', () => {
  const limits = [
    limit(2_000),
    limit(3_000, { every: 'month' }),
    limit(900, { scope: 'user', holder: 'UANA' }),
    limit(700, { scope: 'user', holder: 'UBEN' }),
    limit(9_000, { unit: 'dollars', every: 'month' }),
  ]
  const asking = fc.record({
    kind: fc.constant('hold' as const),
    limits: fc.subarray(limits),
    attempt: fc.record({
      prompt: fc.nat(300),
      most: fc.integer({ min: 1, max: 300 }),
      least: fc.integer({ min: 1, max: 40 }),
    }),
  })
  const settling = fc.record({
    kind: fc.constant('settle' as const),
    which: fc.nat(1_000),
    used: fc.record({ prompt: fc.nat(350), completion: fc.nat(350) }),
  })

  test('the ledger says what the reference says, one thing after another', async () => {
    await using ledger = openLedger(store.pool)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(asking, settling), { maxLength: 30 }), async (ops) => {
        const workspace = randomUUID()
        const model = reference()
        const open: { hold: Hold; limits: Limit[]; prompt: number; most: number }[] = []
        for (const op of ops) {
          if (op.kind === 'settle') {
            const [one] = open.splice(op.which % Math.max(1, open.length), 1)
            if (!one) continue
            model.settle(one.limits, one, op.used)
            await one.hold.settle({ ...op.used, sure: true })
            continue
          }
          const attempt = ask(workspace, op.limits, { ...op.attempt, tier: 'cloud', price }).attempt
          const least = Math.min(attempt.least, attempt.most)
          const expected = model.hold(op.limits, { ...attempt, least })
          const answer = await ledger.hold(ask(workspace, op.limits, attempt))
          if (expected === undefined) refused(answer)
          else expect(granted(answer).most).toBe(expected)
          if (expected !== undefined)
            open.push({ hold: granted(answer), limits: op.limits, prompt: attempt.prompt, most: expected })
        }
        const found = new Map((await windowsOf(workspace)).map((w) => [w.key, [w.used, w.held]]))
        expect(found).toEqual(new Map([...model.windows].map(([key, w]) => [key, [w.used, w.held]])))
      }),
      { numRuns: 40 },
    )
  }, 180_000)

  test('together, by two ledgers: nothing is overdrawn by holds, nothing drifts, workspaces never meet', async () => {
    await using one = openLedger(store.pool)
    await using two = openLedger(store.pool)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(asking, fc.boolean(), fc.boolean(), fc.nat(100)), { minLength: 5, maxLength: 60 }),
        async (asks) => {
          const spaces = [randomUUID(), randomUUID()] as const
          const spent = new Map<string, number>(spaces.map((space) => [space, 0]))
          // A window that is made later counts what was spent before, also by calls that are not charged to it.
          for (const space of spaces) {
            const first = await one.hold(ask(space, limits, { prompt: 0, most: 1, least: 1 }))
            await granted(first).settle({ prompt: 0, completion: 0, sure: true })
          }
          await Promise.all(
            asks.map(async ([asked, first, here, share]) => {
              const workspace = spaces[here ? 0 : 1]
              const attempt = { ...asked.attempt, tier: 'cloud', price } as const
              const answer = await (first ? one : two).hold(ask(workspace, asked.limits, attempt))
              if (typeof answer === 'string' || 'short' in answer) return
              // Every hold uses at most what it was given.
              const completion = Math.floor((answer.most * share) / 100)
              await answer.settle({ prompt: attempt.prompt, completion, sure: true })
              spent.set(workspace, (spent.get(workspace) ?? 0) + attempt.prompt + completion)
            }),
          )
          for (const space of spaces) {
            const windows = await windowsOf(space)
            for (const window of windows) expect(window.used).toBeLessThanOrEqual(window.allowed)
            expect(windows.every((window) => window.held === 0)).toBe(true)
            expect(sums(windows)).toEqual(await sumsOf(space))
            const total = await store.pool.query(
              'select coalesce(sum(tokens), 0)::int8 as n from spend where workspace = $1',
              [space],
            )
            expect(total.rows[0].n).toBe(spent.get(space))
          }
        },
      ),
      { numRuns: 25 },
    )
  }, 180_000)
})
