import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PolicyFile } from '../../src/core/rules.ts'
import { openTurns } from '../../src/tools/turns.ts'
import { call, hostile, openTestTools, until } from '../support/tools.ts'

const { signal } = new AbortController()

test('so many at once, the others in the order they came', async () => {
  const turns = openTurns('bad', 2)
  const order: number[] = []
  const [end] = await Promise.all([turns.take(signal, 1_000), turns.take(signal, 1_000)])
  const waiting = [1, 2, 3].map(async (n) => {
    const endTurn = await turns.take(signal, 1_000)
    order.push(n)
    endTurn()
    endTurn()
  })
  expect([turns.running(), turns.waiting()]).toEqual([2, 3])
  end()
  await Promise.all(waiting)
  expect(order).toEqual([1, 2, 3])
  expect([turns.running(), turns.waiting()]).toEqual([1, 0])
})

test('who waits can leave, and who waited too long is told', async () => {
  const turns = openTurns('bad', 1)
  const end = await turns.take(signal, 1_000)
  const stop = new AbortController()
  const stopped = turns.take(stop.signal, 1_000)
  const late = turns.take(signal, 50)
  stop.abort(new Error('enough'))
  await expect(stopped).rejects.toThrow('enough')
  await expect(late).rejects.toThrow(
    'bad is busy with one call, and the call waited 0 s in vain; nothing was called.',
  )
  expect(turns.waiting()).toBe(0)
  end()
  expect(turns.running()).toBe(0)
  ;(await turns.take(signal, 1_000))()
})

test('however calls come, end and leave: never too many, never out of order, no turn lost', async () => {
  const move = fc.oneof(
    fc.constant('come'),
    fc.constant('settle'),
    fc.record({ end: fc.nat(9) }),
    fc.record({ leave: fc.nat(9) }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.array(move, { maxLength: 60 }).map((moves) => [...moves, 'settle' as const]),
      async (atOnce, moves) => {
        const turns = openTurns('bad', atOnce)
        const running: { n: number; end: () => void }[] = []
        let waiting: { n: number; stop: AbortController }[] = []
        let came = 0
        let last = -1
        for (const one of moves) {
          if (one === 'settle') {
            await new Promise(setImmediate)
            expect([turns.running(), turns.waiting()]).toEqual([running.length, waiting.length])
            expect(running.length).toBe(Math.min(atOnce, running.length + waiting.length))
          } else if (one === 'come') {
            const [n, stop] = [came++, new AbortController()]
            waiting.push({ n, stop })
            turns.take(stop.signal, 60_000).then(
              (end) => {
                expect(n).toBeGreaterThan(last)
                last = n
                waiting = waiting.filter((other) => other.n !== n)
                running.push({ n, end })
              },
              () => {},
            )
          } else if ('end' in one) running.splice(one.end % (running.length || 1), 1)[0]?.end()
          else waiting.splice(one.leave % (waiting.length || 1), 1)[0]?.stop.abort()
          expect(running.length).toBeLessThanOrEqual(atOnce)
        }
        for (const { stop } of waiting) stop.abort()
      },
    ),
  )
})

test('a server that is too slow stalls its own calls only, and what waits there can be stopped', async () => {
  const policy = PolicyFile.parse({ tools: { 'slow__*': { limits: { at_once: 1 } } } })
  await using tools = openTestTools({ slow: hostile(), quick: hostile() }, { policy })
  await tools.catalogue()
  const running = call(tools, 'slow__wait', { ms: 600 })
  await until(() => tools.health()[1]?.running === 1)
  const stop = new AbortController()
  const stopped = tools.call('slow__echo', {}, { signal: stop.signal })
  const next = call(tools, 'slow__echo', { n: 2 })
  await until(() => tools.health()[1]?.waiting === 2)
  expect((await call(tools, 'quick__echo', { n: 1 })).ms).toBeLessThan(500)
  stop.abort()
  expect(await stopped).toMatchObject({ outcome: 'failed', text: 'The call was stopped before it began.' })
  expect(await running).toMatchObject({ outcome: 'succeeded' })
  expect(await next).toMatchObject({ outcome: 'succeeded', text: '{"n":2}' })
  expect(tools.health()[1]).toMatchObject({ running: 0, waiting: 0, restarts: 0, era: '2025-11-25' })
})

test('what bounds a call and a server: the time of silence, the size of a result, the number of tools', async () => {
  const policy = PolicyFile.parse({
    tools: {
      'bad__*': { limits: { tools: 100 } },
      '*': { limits: { tools: 12 } },
    },
  })
  await using tools = openTestTools({ bad: hostile() }, { policy })
  expect(await tools.catalogue()).toHaveLength(12)
  expect(tools.lines.join('\n')).toContain('tools beyond the limit are left out')
  await using all = openTestTools({ bad: hostile() })
  const late = await call(all, 'bad__never', {}, 1_000)
  expect(late).toMatchObject({
    outcome: 'unknown',
    text: 'bad did not answer within 1 s. The call may have run.',
  })
  const large = await all.call('bad__large', {}, { signal, resultBytes: 50_000 })
  expect(large.outcome).toBe('succeeded')
  expect(large.text).toMatch(
    /^\(bad answered with 100,\d\d\d bytes, more than the 50,000 bytes it may; that was not read\.\)$/,
  )
})

test('progress is passed on a little at a time, its words cleaned and cut', async () => {
  await using tools = openTestTools({ bad: hostile() })
  const heard: { progress: number; message?: string }[] = []
  const options = {
    signal,
    onProgress: (progress: { progress: number; message?: string }) => heard.push(progress),
  }
  expect((await tools.call('bad__chatter', {}, options)).text).toBe('talked')
  expect(heard.length).toBeGreaterThan(1)
  expect(heard.length).toBeLessThan(5)
  expect(heard.at(-1)?.progress).toBe(499)
  for (const { message = '' } of heard) {
    expect(message).toMatch(/^step \d+ <!channel> w+…$/)
    expect(message).toHaveLength(200)
  }
})
