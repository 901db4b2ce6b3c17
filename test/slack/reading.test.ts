/** The token that opens files goes to Slack's own hosts, and nowhere else. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Call } from '../../src/slack/call.ts'
import { openReading } from '../../src/slack/reading.ts'
import { fixedToken } from '../../src/slack/token.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A server that notes what comes to it. */
async function listen(answer: Answer) {
  const seen: (string | undefined)[] = []
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { seen, url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

const self = { botUser: 'UBOT', botId: 'BBOT', scopes: [] }
const never: Call = async () => {
  throw new Error('nothing is called')
}
const signal = new AbortController().signal
const MB = 1024 * 1024

let answer: Answer = (_, response) => response.end('hello')
let slack: Awaited<ReturnType<typeof listen>>
let other: Awaited<ReturnType<typeof listen>>
beforeAll(async () => {
  slack = await listen((request, response) => answer(request, response))
  other = await listen((_, response) => response.end('stolen'))
})
afterAll(() => {
  slack.close()
  other.close()
})
beforeEach(() => {
  slack.seen.length = 0
  other.seen.length = 0
})

const fetched = (url: string, most = MB) =>
  openReading(never, self, { tokens: fixedToken('xoxb-secret'), apiUrl: `${slack.url}/api/` }).file(
    { id: 'F1', name: 'a.txt', url },
    most,
    signal,
  )

test('the bytes come with the token, up to as many as are wanted', async () => {
  answer = (_, response) => response.end('hello')
  expect(Buffer.from((await fetched(`${slack.url}/files/F1`)) as Uint8Array).toString()).toBe('hello')
  expect(slack.seen).toEqual(['Bearer xoxb-secret'])
  expect(await fetched(`${slack.url}/files/F1`, 4)).toEqual({ why: 'it is larger than 0 MB' })
  answer = (_, response) => {
    const send = () => response.write(Buffer.alloc(64 * 1024)) && setImmediate(send)
    response.on('drain', send)
    send()
  }
  expect(await fetched(`${slack.url}/endless`, MB)).toEqual({ why: 'it is larger than 1 MB' })
})

test('a redirection is not followed, wherever it leads', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    answer = (_, response) => response.writeHead(status, { location: `${other.url}/take` }).end()
    expect(await fetched(`${slack.url}/files/F1`)).toEqual({ why: 'Slack does not give it to me' })
  }
  expect(other.seen).toEqual([])
})

test('what is not at Slack is not asked for', async () => {
  const { host } = new URL(other.url)
  for (const url of [
    `${other.url}/files/F1`,
    'https://docs.google.com/document/d/1',
    `http://files.slack.com@${host}/a`,
    `https://files.slack.com.evil.example/a`,
    'http://files.slack.com/a',
    'https://files.slack.com:8443/a',
    `${slack.url.replace('127.0.0.1', 'localhost')}/a`,
    'file:///etc/passwd',
    '//files.slack.com/a',
    'nonsense',
  ])
    expect(await fetched(url)).toEqual({ why: 'it is kept outside of Slack' })
  expect([...slack.seen, ...other.seen]).toEqual([])
})

test('no address makes the token leave, however it is written', async () => {
  const { host } = new URL(other.url)
  const bits = fc.constantFrom(
    'files.slack.com',
    host,
    '@',
    '/',
    '\\',
    '#',
    '?',
    ':',
    '.',
    '%2f',
    'http://',
    ' ',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(bits, { maxLength: 6 }), async (parts) => {
      const url = `http://${parts.join('')}`
      await fetched(url)
      expect(other.seen).toEqual([])
    }),
    { numRuns: 300 },
  )
})

test('what a message does not say of a file is asked of Slack', async () => {
  const file = { id: 'F1', name: 'plan.md', size: 3, url_private: `${slack.url}/files/F1` }
  const reading = (answer: Call) =>
    openReading(answer, self, { tokens: fixedToken('x'), apiUrl: `${slack.url}/api/` })
  const known: Call = async () => ({ ok: true, file })
  expect(await reading(known).describe({ id: 'F1', name: 'F1' }, signal)).toEqual({
    id: 'F1',
    name: 'plan.md',
    size: 3,
    url: `${slack.url}/files/F1`,
  })
  expect(await reading(never).describe({ id: 'F1', name: 'F1' }, signal)).toEqual({
    why: 'it could not be fetched from Slack just now',
  })
})

test('what Slack answers with, in words', async () => {
  const told: [number, string][] = [
    [404, 'it is not there any more'],
    [403, 'Slack does not give it to me'],
    [503, 'it could not be fetched from Slack just now'],
    [429, 'it could not be fetched from Slack just now'],
  ]
  for (const [status, why] of told) {
    answer = (_, response) => response.writeHead(status).end('no')
    expect(await fetched(`${slack.url}/files/F1`)).toEqual({ why })
  }
  answer = (request) => request.socket.destroy()
  expect(await fetched(`${slack.url}/files/F1`)).toEqual({
    why: 'it could not be fetched from Slack just now',
  })
})
