import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  groupsOf,
  listsOf,
  mayDecide,
  mightDecide,
  type Terms,
  tellApprovers,
} from '../../src/core/approvers.ts'

const terms = (other: Partial<Terms> = {}): Terms => ({
  approvers: [['UANA', 'UBEN']],
  need: 1,
  selfApprove: true,
  asker: 'UANA',
  ...other,
})
const person = (id: string, ...groups: string[]) => ({ id, groups })
const name = async (id: string) => id.slice(1).toLowerCase()

describe('who may decide', () => {
  test('somebody of the list, by name, by group, or as the requester', () => {
    expect(mayDecide(terms(), person('UBEN'))).toBe(true)
    expect(mayDecide(terms(), person('UCHLOE'))).toBe(false)
    const group = terms({ approvers: [['SOPS', 'requester']] })
    expect(mayDecide(group, person('UCHLOE', 'SOPS'))).toBe(true)
    expect(mayDecide(group, person('UCHLOE', 'SDEV'))).toBe(false)
    expect(mayDecide(group, person('UANA'))).toBe(true)
  })

  test('who stands in each list, where several rules name people', () => {
    const both = terms({ approvers: [['UANA', 'UBEN'], ['SOPS']] })
    expect(mayDecide(both, person('UBEN'))).toBe(false)
    expect(mayDecide(both, person('UCHLOE', 'SOPS'))).toBe(false)
    expect(mayDecide(both, person('UBEN', 'SOPS'))).toBe(true)
  })

  test('not whoever asked, where they may not approve themselves', () => {
    const other = terms({ selfApprove: false })
    expect(mayDecide(other, person('UANA'))).toBe(false)
    expect(mayDecide(other, person('UBEN'))).toBe(true)
  })

  test('of what was allowed without asking, whoever asked', () => {
    expect(mayDecide(terms({ approvers: [] }), person('UANA'))).toBe(true)
    expect(mayDecide(terms({ approvers: [] }), person('UBEN'))).toBe(false)
  })

  test('nobody who is barred, whatever the lists say', () => {
    const bars = fc.constantFrom('bot', 'guest', 'deactivated', 'outsider', 'unknown' as const)
    fc.assert(
      fc.property(
        bars,
        fc.array(fc.array(fc.constantFrom('UBEN', 'SOPS', 'requester'))),
        (barred, approvers) => {
          expect(mayDecide(terms({ approvers }), { ...person('UBEN', 'SOPS'), barred })).toBe(false)
        },
      ),
    )
  })

  test('a longer list of lists never admits anybody more', () => {
    const list = fc.array(fc.constantFrom('UANA', 'UBEN', 'SOPS', 'requester'), { minLength: 1 })
    fc.assert(
      fc.property(fc.array(list, { minLength: 1 }), list, fc.boolean(), (approvers, more, selfApprove) => {
        for (const who of [
          person('UANA'),
          person('UBEN', 'SOPS'),
          person('UCHLOE', 'SOPS'),
          person('UCHLOE'),
        ]) {
          const wide = mayDecide(terms({ approvers, selfApprove }), who)
          const narrow = mayDecide(terms({ approvers: [...approvers, more], selfApprove }), who)
          expect(wide || !narrow).toBe(true)
        }
      }),
    )
  })

  test('what Slack did not tell might have made the difference, or not', () => {
    const group = terms({ approvers: [['SOPS']] })
    expect(mightDecide(group, { ...person('UBEN'), untold: ['SOPS'] })).toBe(true)
    expect(mightDecide(group, { ...person('UBEN'), barred: 'unknown' })).toBe(true)
    expect(mightDecide(group, { ...person('UBEN'), barred: 'guest', untold: ['SOPS'] })).toBe(false)
    expect(mightDecide(group, person('UBEN'))).toBe(false)
  })
})

test('people stand in the place of the requester; groups are those named', () => {
  const mixed = terms({
    approvers: [
      ['requester', 'UANA', 'SOPS'],
      ['SOPS', 'SDEV'],
    ],
  })
  expect(listsOf(mixed)).toEqual([
    ['UANA', 'SOPS'],
    ['SOPS', 'SDEV'],
  ])
  expect(groupsOf(mixed)).toEqual(['SOPS', 'SDEV'])
})

test('whom an approval waits for is said in words', async () => {
  expect(await tellApprovers(terms(), name)).toBe('ana or ben')
  expect(await tellApprovers(terms({ approvers: [['UBEN']] }), name)).toBe('ben')
  expect(await tellApprovers(terms({ need: 2, approvers: [['UANA', 'UBEN', 'SOPS']] }), name)).toBe(
    'two different people of ana, ben and ops',
  )
  expect(await tellApprovers(terms({ selfApprove: false }), name)).toBe('ana or ben, but not ana, who asked')
  expect(await tellApprovers(terms({ approvers: [['UANA', 'UBEN'], ['SOPS']] }), name)).toBe(
    'somebody who is one of ana and ben, and also one of ops',
  )
  expect(await tellApprovers(terms({ need: 3, approvers: [['UANA'], ['SOPS']] }), name)).toBe(
    'three different people, each one of ana, and also one of ops',
  )
})
