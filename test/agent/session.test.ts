import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { openSession } from '../../src/agent/session.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const run = { channel: 'C1', thread: '1.0' }

test('Slack is told what is new, in order, and again while the work goes on for long', async () => {
  const told: string[] = []
  const slow = async (_: string, __: string, status: string) => {
    await Promise.resolve()
    told.push(status)
  }
  const session = openSession({ status: slow }, run, 'processing', 1000)
  await session.set('processing')
  await vi.advanceTimersByTimeAsync(2500)
  expect(told).toEqual(['processing', 'processing'])
  void session.set('suspended')
  await session.set('active')
  session.told('suspended')
  await session.set('suspended')
  await vi.advanceTimersByTimeAsync(5000)
  expect(told).toEqual(['processing', 'processing', 'suspended', 'active'])
  await session.set('processing')
  session.close()
  await vi.advanceTimersByTimeAsync(5000)
  expect(told.slice(4)).toEqual(['processing'])
})
