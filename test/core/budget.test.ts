import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  allowsMoney,
  BudgetsFile,
  costOf,
  limitsFor,
  raiseOf,
  tellAmount,
  tellBudget,
  tellPart,
  tellReset,
} from '../../src/core/budget.ts'

const budgets = BudgetsFile.parse({
  workspace: { day: { tokens: '5M' }, month: { tokens: 90_000_000, dollars: 200 } },
  teams: { S1: { month: { dollars: 12.5 } }, S2: { day: { tokens: '1.5k' } } },
  channels: { '*': { day: { tokens: 10 } }, C1: { day: { tokens: 20 } } },
  users: { '*': { day: { tokens: 30 } }, U1: { month: { tokens: 40 } } },
  agents: { quorum: { day: { tokens: 50 } } },
})

const told = (of: Partial<Parameters<typeof limitsFor>[1]>) =>
  limitsFor(budgets, { teams: [], agents: [], ...of }).map(
    ({ scope, holder, unit, every, allowed }) => `${scope} ${holder} ${every} ${allowed} ${unit}`,
  )

const whole = [
  'workspace  day 5000000 tokens',
  'workspace  month 90000000 tokens',
  'workspace  month 200000000 dollars',
]

test('every budget that concerns a call counts, its own line before the one for each', () => {
  expect(told({})).toEqual(whole)
  expect(told({ channel: 'C1', user: 'U1', agents: ['quorum'], teams: ['S1', 'S2'] })).toEqual([
    ...whole,
    'team S1 month 12500000 dollars',
    'team S2 day 1500 tokens',
    'channel C1 day 20 tokens',
    'user U1 month 40 tokens',
    'agent quorum day 50 tokens',
  ])
  expect(told({ channel: 'C2', user: 'U2', agents: ['other'] })).toEqual([
    ...whole,
    'channel C2 day 10 tokens',
    'user U2 day 30 tokens',
  ])
})

test('there is money where any budget has dollars', () => {
  expect(allowsMoney(budgets)).toBe(true)
  expect(allowsMoney(BudgetsFile.parse({ workspace: { day: { tokens: 1 } } }))).toBe(false)
  expect(allowsMoney(BudgetsFile.parse({ agents: { q: { month: { dollars: 1 } } } }))).toBe(true)
})

test('a direct message counts for the person only, and nobody for nobody', () => {
  expect(told({ channel: 'D1', user: 'U1' })).toEqual([...whole, 'user U1 month 40 tokens'])
  expect(told({ channel: '', user: '' })).toEqual(whole)
})

test('nothing is limited where nothing is written', () => {
  expect(
    limitsFor(BudgetsFile.parse({}), { channel: 'C1', user: 'U1', agents: ['q'], teams: ['S1'] }),
  ).toEqual([])
})

test('what a call costs is rounded up, never below what it is worth, and cached tokens are never more than all', () => {
  const price = fc.record({
    prompt: fc.nat(50_000_000),
    cached: fc.nat(50_000_000),
    completion: fc.nat(200_000_000),
  })
  const used = fc.record({
    prompt: fc.nat(1_000_000),
    completion: fc.nat(1_000_000),
    cached: fc.nat(2_000_000),
  })
  fc.assert(
    fc.property(price, used, (p, u) => {
      const cached = Math.min(u.cached, u.prompt)
      const exact =
        BigInt(u.prompt - cached) * BigInt(p.prompt) +
        BigInt(cached) * BigInt(p.cached) +
        BigInt(u.completion) * BigInt(p.completion)
      const cost = BigInt(costOf(u, p))
      expect(cost * 1_000_000n >= exact && cost * 1_000_000n < exact + 1_000_000n).toBe(true)
    }),
  )
  expect(costOf({ prompt: 10, completion: 10 }, undefined)).toBe(0)
  expect(costOf({ prompt: 10, completion: 0, cached: 10 }, { prompt: 2_000_000, completion: 0 })).toBe(20)
})

test('amounts, budgets and resets are said as people say them', () => {
  expect(tellAmount('tokens', 1_234_567)).toBe('1,234,567 tokens')
  expect(tellAmount('dollars', 12_500_000)).toBe('$12.50')
  expect(tellAmount('dollars', 42)).toBe('$0.000042')
  expect(tellAmount('dollars', -2_000_000)).toBe('-$2.00')
  expect(tellPart('tokens', 4_000, 5_000)).toBe('4,000 of 5,000 tokens')
  expect(tellPart('dollars', 1_000_000, 2_000_000)).toBe('$1.00 of $2.00')
  expect(tellBudget({ scope: 'team', every: 'month' }, '@oncall')).toBe(
    'The monthly budget of the team @oncall',
  )
  expect(tellBudget({ scope: 'channel', every: 'day' }, 'C1')).toBe('The daily budget of this channel')
  expect(tellReset('2026-11-30T23:00:00.000Z', 'Europe/Berlin')).toBe('1 Dec 2026, 00:00 Europe/Berlin')
  expect(raiseOf({ allowed: 1, unit: 'tokens' })).toBe(1)
  expect(raiseOf({ allowed: 50_000_000, unit: 'dollars' })).toBe(25_000_000)
})
