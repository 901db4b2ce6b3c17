/**
 * The pool on real servers: LLAMA_SERVER names llama.cpp's `llama-server`, LLAMA_MODEL a GGUF file with a chat template.
 * Without them this says so and does nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ChatMessage } from '../../src/core/chat.ts'
import { type OpenModels, openModels } from '../../src/models/open.ts'
import { about, askFor } from '../support/models.ts'

const { LLAMA_SERVER: program, LLAMA_MODEL: weights } = process.env
if (!program || !weights) console.log('skipped: LLAMA_SERVER and LLAMA_MODEL are not set')

describe.skipIf(!program || !weights)('two real llama-servers', () => {
  const children: ChildProcess[] = []
  const urls: string[] = []
  let models: OpenModels
  beforeAll(async () => {
    for (let n = 0; n < 2; n += 1) {
      const port = await freePort()
      const args = [
        '-m',
        weights ?? '',
        '--host',
        '127.0.0.1',
        '--port',
        String(port),
        '-c',
        '8192',
        '--metrics',
      ]
      children.push(spawn(program ?? '', args, { stdio: 'ignore' }))
      urls.push(`http://127.0.0.1:${port}/v1`)
    }
    models = openModels({ pools: { main: { model: 'test', replicas: urls, maxOutputTokens: 24 } }, env: {} })
    await until(() => models.pools[0]?.replicas.every(({ health }) => health.state === 'up') ?? false)
  }, 300_000)
  afterAll(async () => {
    models?.close()
    for (const child of children) {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }
  })

  const ask = (thread: string, messages: ChatMessage[]) =>
    askFor(models, { request: { messages, tools: [] }, about: { ...about, thread } })

  test('an answer comes whole, with counts, and a second turn finds the first in the cache', async () => {
    const messages: ChatMessage[] = [
      { role: 'system', content: 'You are a teammate. '.repeat(60) },
      { role: 'user', content: 'Name a colour.' },
      { role: 'assistant', content: 'Blue.' },
      { role: 'user', content: 'Name another.' },
    ]
    const first = await ask('1.0', messages)
    if ('wait' in first) throw new Error(first.wait.text)
    expect(first.usage?.prompt).toBeGreaterThan(200)
    const more: ChatMessage[] = [
      { role: 'assistant', content: first.text },
      { role: 'user', content: 'And one more.' },
    ]
    const second = await ask('1.0', [...messages, ...more])
    if ('wait' in second) throw new Error(second.wait.text)
    expect(second.usage?.cached).toBeGreaterThan(200)
  }, 120_000)

  test('its metrics are read', async () => {
    await until(
      () => models.pools[0]?.replicas.every(({ metrics }) => metrics?.running !== undefined) ?? false,
    )
  }, 30_000)

  test('when one dies the other answers', async () => {
    const [victim] = children
    const ended = once(victim as ChildProcess, 'exit')
    victim?.kill('SIGKILL')
    await ended
    for (let n = 0; n < 4; n += 1) {
      const answer = await ask(`${n}.5`, [{ role: 'user', content: 'Say yes.' }])
      expect('wait' in answer).toBe(false)
    }
  }, 120_000)
})

async function until(probe: () => boolean): Promise<void> {
  for (let i = 0; i < 1_200; i += 1) {
    if (probe()) return
    await sleep(250)
  }
  throw new Error(`it never came: ${probe}`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
