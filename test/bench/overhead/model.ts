/** A model that answers at once, over the OpenAI wire: what is measured is everything around it. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What it always says; no other text of either side holds these words. */
export const ANSWER = 'Forty-two reticulated splines, all in order.'

/** `url` ends in /v1. */
export type InstantModel = { url: string; [Symbol.asyncDispose](): Promise<void> }

/** Serves on a free port of loopback: chat, streamed or whole, embeddings of 8 numbers, the list of models. */
export async function openInstantModel(): Promise<InstantModel> {
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const part of request.setEncoding('utf8')) body += part
    const path = request.url ?? ''
    if (path.endsWith('/models')) return sendJson(response, { object: 'list', data: [{ id: 'instant' }] })
    if (!path.startsWith('/v1/')) return response.writeHead(404).end()
    const asked = JSON.parse(body)
    if (path.endsWith('/embeddings')) {
      const data = [asked.input].flat().map((_, index) => ({ object: 'embedding', index, embedding }))
      return sendJson(response, { object: 'list', data, model: 'instant' })
    }
    stream(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

const embedding = [1, 0, 0, 0, 0, 0, 0, 0]
const chunk = (more: object) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 0, model: 'instant', ...more })}\n\n`
const delta = (content: string) => chunk({ choices: [{ index: 0, delta: { role: 'assistant', content } }] })
const half = ANSWER.length / 2
const events = [
  delta(ANSWER.slice(0, half)),
  delta(ANSWER.slice(half)),
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
  chunk({ choices: [], usage: { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 } }),
  'data: [DONE]\n\n',
]

function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of events) response.write(event)
  response.end()
}

function sendJson(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}
