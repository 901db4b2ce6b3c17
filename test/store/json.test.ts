import { expect, test } from 'vitest'
import { asJson } from '../../src/store/json.ts'
import { openTestStore } from '../support/store.ts'

test('whatever a model writes can be stored, in values and in names, and comes back as it was written down', async () => {
  await using store = await openTestStore({ empty: true })
  const odd = { 'a\0b': ['c\0', { '\ud800': '\udc00x' }], fine: { 'ü 😀': null, n: 1.5 } }
  const written = asJson(odd)
  const { rows } = await store.pool.query('select $1::jsonb as back', [written])
  expect(rows[0]?.back).toEqual(JSON.parse(written))
  expect(rows[0]?.back).toEqual({
    ab: ['c', { '\ufffd': '\ufffdx' }],
    fine: { 'ü 😀': null, n: 1.5 },
  })
})
