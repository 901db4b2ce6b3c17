import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ModelsFile } from '../../src/core/home.ts'
import { openReranker } from '../../src/models/rerank.ts'

type Asked = { path: string | undefined; key: string | undefined; body: object }

/** A server that answers with whatever is given for what it was asked. */
async function openServer(answer: (asked: Asked) => unknown, status = 200) {
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const part of request) text += part
    const said = await answer({
      path: request.url,
      key: request.headers.authorization,
      body: JSON.parse(text),
    })
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url, [Symbol.asyncDispose]: close }
}

const config = (url: string, other: object = {}) => {
  const pools = { main: { model: 'm', replicas: ['http://127.0.0.1:1'] } }
  const { rerank } = ModelsFile.parse({ pools, rerank: { url, model: 'r', ...other } })
  if (!rerank) throw new Error('it was written')
  return rerank
}

test('the best comes first, and what the server leaves out keeps its place behind', async () => {
  const asked: Asked[] = []
  await using server = await openServer((one) => {
    asked.push(one)
    return {
      results: [
        { index: 3, relevance_score: 0.2 },
        { index: 1, relevance_score: 0.9 },
        { index: 99, relevance_score: 1 },
      ],
    }
  })
  const reranker = openReranker(config(server.url, { key: 'RERANK_KEY' }), { RERANK_KEY: 'secret-key' })
  expect(await reranker.rank('q', ['a', 'b', 'c', 'd'])).toEqual([1, 3, 0, 2])
  const body = { model: 'r', query: 'q', documents: ['a', 'b', 'c', 'd'], top_n: 4 }
  expect(asked).toEqual([{ path: '/v1/rerank', key: 'Bearer secret-key', body }])
})

test('"data" in place of "results" is read too', async () => {
  await using server = await openServer(() => ({ data: [{ index: 1, relevance_score: 1 }] }))
  expect(await openReranker(config(server.url), {}).rank('q', ['a', 'b'])).toEqual([1, 0])
})

test.each([
  ['late', { deadline: '50ms' }, () => pause(5_000), 200, 'model-stalled', /within 50 ms/],
  ['broken', {}, () => ({ error: { message: 'no such model' } }), 404, 'model-refused', /no such model/],
  ['talking nonsense', {}, () => ({ scores: [1] }), 200, 'model-nonsense', /places and scores/],
] as const)('a server that is %s is a fault', async (_, other, answer, status, code, message) => {
  await using server = await openServer(answer, status)
  const ranking = openReranker(config(server.url, other), {}).rank('q', ['a', 'b'])
  await expect(ranking).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
})

test('a server that looks as if it were not in the house must be said to be', () => {
  expect(() => config('https://api.example.com/v1')).toThrow(/in the house/)
  expect(config('https://api.example.com/v1', { tier: 'local' }).deadline).toBe('1500ms')
})
