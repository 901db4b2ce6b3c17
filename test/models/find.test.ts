import { expect, test } from 'vitest'
import { findPools } from '../../src/models/find.ts'
import { openModelServer } from '../support/model-server.ts'

const nowhere = { ollama: 'http://127.0.0.1:9/v1' }

test('the home comes first', async () => {
  const pool = { model: 'mine', replicas: ['http://127.0.0.1:9/v1'] }
  const found = await findPools({ pools: { main: pool } }, { OPENAI_BASE_URL: 'http://127.0.0.1:9' }, nowhere)
  expect(found).toEqual({ pools: { main: pool }, origin: 'models.yaml' })
})

test('then the environment, with the model it names or the first that can chat', async () => {
  await using server = await openModelServer(undefined, { models: ['nomic-embed-text', 'qwen3', 'llama'] })
  const env = { OPENAI_BASE_URL: server.url, OPENAI_API_KEY: 'k' }
  expect(await findPools(undefined, env, nowhere)).toEqual({
    pools: { main: { model: 'qwen3', replicas: [server.url], key: 'OPENAI_API_KEY' } },
    origin: 'OPENAI_BASE_URL',
  })
  const named = await findPools(undefined, { ...env, OPENAI_MODEL: 'llama' }, nowhere)
  expect(named?.pools.main?.model).toBe('llama')
})

test('a server of the environment that cannot help is said, not passed over', async () => {
  await using server = await openModelServer(undefined, { models: ['nomic-embed-text'] })
  await expect(findPools(undefined, { OPENAI_BASE_URL: server.url }, nowhere)).rejects.toThrow(
    /lists no model/,
  )
  await server.close()
  await expect(findPools(undefined, { OPENAI_BASE_URL: server.url }, nowhere)).rejects.toMatchObject({
    code: 'model-unreachable',
  })
  await expect(findPools(undefined, { OPENAI_API_KEY: 'sk-1' }, nowhere)).rejects.toThrow(/OPENAI_MODEL/)
})

test('OpenAI itself needs no address, only a model', async () => {
  const found = await findPools(undefined, { OPENAI_API_KEY: 'sk-1', OPENAI_MODEL: 'gpt-5' }, nowhere)
  expect(found?.pools.main?.replicas).toEqual(['https://api.openai.com/v1'])
})

test('then Ollama, where one answers quickly; else nothing', async () => {
  await using server = await openModelServer(undefined, { models: ['bge-m3', 'qwen3:8b'] })
  expect(await findPools(undefined, {}, { ollama: server.url })).toEqual({
    pools: { main: { model: 'qwen3:8b', replicas: [server.url] } },
    origin: 'ollama',
  })
  const began = performance.now()
  expect(await findPools(undefined, {}, { ollama: 'http://192.0.2.1:11434/v1' })).toBeUndefined()
  expect(performance.now() - began).toBeLessThan(2_000)
  expect(await findPools({ pools: {} }, {}, nowhere)).toBeUndefined()
})
