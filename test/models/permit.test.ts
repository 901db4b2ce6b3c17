/** A call to a cloud model cannot be written without a permit: the compiler refuses each of these lines. */
import { expect, test } from 'vitest'
import type { CloudPermit } from '../../src/core/permit.ts'
import { openPool } from '../../src/models/pool.ts'

const pool = { model: 'm', replicas: ['https://api.example.com/v1'] }

test('a pool in the cloud has no way to be asked but through the permit', () => {
  const opened = openPool('backup', pool, {}, () => {})
  expect(opened.tier).toBe('cloud')
  expect('serving' in opened).toBe(false)
  if (opened.tier === 'cloud') {
    // @ts-expect-error: a pool in the cloud is entered with a permit
    expect(opened.serving).toBeUndefined()
    // @ts-expect-error: without one it is not entered
    const without = () => opened.enter()
    // @ts-expect-error: and a permit cannot be made up
    const forged: CloudPermit = { channel: 'C1' }
    expect([without, forged]).toHaveLength(2)
  }
  // @ts-expect-error: a replica itself cannot be asked for an answer
  expect(opened.replicas[0]?.chat.ask).toBeUndefined()
})
