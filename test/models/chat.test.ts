import { type AddressInfo, createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { ChatMessage, ChatRequest } from '../../src/core/chat.ts'
import { Fault } from '../../src/core/fault.ts'
import type { Pool } from '../../src/core/pools.ts'
import { openChat } from '../../src/models/chat.ts'
import { retryAfterMs } from '../../src/models/failure.ts'
import { chunkOf, type ModelServer, openModelServer, type Reply } from '../support/model-server.ts'

let server: ModelServer | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

const patient = { firstToken: '20s', idle: '20s', total: '25s' }
const question: ChatRequest = { messages: [{ role: 'user', content: 'How?' }], tools: [] }
const tools = [{ name: 'files__write', description: 'Writes.', parameters: { type: 'object' } }]

async function chatWith(reply: Reply | ((n: number) => Reply), pool: Partial<Pool> = {}, env = {}) {
  server = await openModelServer((_, n) => (typeof reply === 'function' ? reply(n) : reply))
  return openChat({ model: 'test', replicas: [server.url], timers: patient, ...pool }, env)
}

/** An address on which nothing listens. */
async function nowhere(): Promise<string> {
  const closed = createServer()
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise((resolve) => closed.close(resolve))
  return `http://127.0.0.1:${port}/v1`
}

const still = () => new AbortController().signal
const chunks = (...deltas: [delta: unknown, finish?: string][]) => ({
  chunks: deltas.map(([delta, finish]) => chunkOf('test', delta, finish ?? null)),
})

async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const error = await promise.then(
    () => new Error('it answered'),
    (caught) => caught,
  )
  expect(error).toBeInstanceOf(Fault)
  return error
}

describe('an answer', () => {
  test('streams its text and is whole', async () => {
    const chat = await chatWith({ text: ['Roll ', 'it ', 'back.'], paceMs: 5 })
    const seen: string[] = []
    const answer = await chat.ask(question, { signal: still(), onText: (delta) => seen.push(delta) })
    expect(answer).toMatchObject({
      text: 'Roll it back.',
      calls: [],
      finish: 'stop',
      model: 'test',
      usage: { prompt: 100, completion: 10 },
    })
    expect(seen).toEqual(['Roll ', 'it ', 'back.'])
    expect(answer.firstTokenMs).toBeGreaterThan(0)
    expect(answer.ms).toBeGreaterThanOrEqual(answer.firstTokenMs)
  })

  test('carries tool calls with parsed arguments', async () => {
    const chat = await chatWith({
      text: 'Writing.',
      calls: [{ id: 'c1', name: 'files__write', args: { path: 'a', content: 'b' } }],
    })
    const answer = await chat.ask({ ...question, tools }, { signal: still() })
    expect(answer.finish).toBe('tool_calls')
    expect(answer.calls).toEqual([{ id: 'c1', tool: 'files__write', args: { path: 'a', content: 'b' } }])
    expect(server?.requests[0]?.body).not.toHaveProperty('tool_choice')
  })

  test('puts calls together from pieces, by index', async () => {
    const chat = await chatWith(
      chunks(
        [{ role: 'assistant', content: null }],
        [{ tool_calls: [{ index: 0, id: 'a', function: { name: 'one', arguments: '' } }] }],
        [{ tool_calls: [{ index: 1, id: 'b', function: { name: 'two', arguments: '{"x"' } }] }],
        [{ tool_calls: [{ index: 0, function: { arguments: '{"y":' } }] }],
        [{ tool_calls: [{ index: 1, function: { arguments: ':1}' } }] }],
        [{ tool_calls: [{ index: 0, function: { arguments: '2}' } }] }],
        [{}, 'tool_calls'],
      ),
    )
    const { calls } = await chat.ask(question, { signal: still() })
    expect(calls).toEqual([
      { id: 'a', tool: 'one', args: { y: 2 } },
      { id: 'b', tool: 'two', args: { x: 1 } },
    ])
  })

  test('tells apart calls that a server numbers all alike, and ends with stop', async () => {
    const call = (id: string, name: string) => ({ index: 0, id, function: { name, arguments: '{}' } })
    const chat = await chatWith(
      chunks([{ tool_calls: [call('a', 'one')] }], [{ tool_calls: [call('b', 'two')] }, 'stop']),
    )
    const answer = await chat.ask(question, { signal: still() })
    expect(answer.calls.map((each) => each.tool)).toEqual(['one', 'two'])
    expect(answer.finish).toBe('tool_calls')
  })

  test('makes up ids that are missing, doubled or already in the conversation', async () => {
    const call = (index: number, id?: string) => ({ index, id, function: { name: 'one', arguments: '{}' } })
    const chat = await chatWith(
      chunks([{ tool_calls: [call(0), call(1, 'x'), call(2, 'x'), call(3, 'old')] }], [{}, 'tool_calls']),
    )
    const history: ChatMessage[] = [
      { role: 'assistant', content: '', calls: [{ id: 'old', tool: 'one', args: {} }] },
      { role: 'tool', call: 'old', content: 'ok' },
    ]
    const { calls } = await chat.ask(
      { messages: [...question.messages, ...history], tools: [] },
      { signal: still() },
    )
    expect(calls[1]?.id).toBe('x')
    expect(new Set([...calls.map((each) => each.id), 'old']).size).toBe(5)
    expect(calls[0]?.id).toMatch(/^[a-z0-9]{9}$/)
  })

  test('hands over arguments that are not JSON as they came', async () => {
    const chat = await chatWith({ calls: [{ name: 'one', args: '{"path": ' }] })
    const { calls } = await chat.ask(question, { signal: still() })
    expect(calls[0]?.args).toBe('{"path": ')
  })

  test('leaves reasoning out, wherever the server puts it', async () => {
    const chat = await chatWith(
      chunks(
        [{ reasoning: 'hm ' }],
        [{ reasoning_content: 'so ' }],
        [{ content: '\n<thi' }],
        [{ content: 'nk>aloud</th' }],
        [{ content: 'ink>\n\nThe ' }],
        [{ content: 'answer <think>' }],
        [{}, 'stop'],
      ),
    )
    let seen = ''
    const answer = await chat.ask(question, {
      signal: still(),
      onText: (delta) => {
        seen += delta
      },
    })
    expect(answer.text).toBe('The answer <think>')
    expect(seen).toBe(answer.text)
  })

  test('keeps text that only looks like the start of a thought', async () => {
    const chat = await chatWith({ text: '<th' })
    let seen = ''
    const answer = await chat.ask(question, {
      signal: still(),
      onText: (delta) => {
        seen += delta
      },
    })
    expect([answer.text, seen]).toEqual(['<th', '<th'])
  })

  test('cut by the token limit says so', async () => {
    const chat = await chatWith({ text: 'Once upon', finish: 'length' })
    expect((await chat.ask(question, { signal: still() })).finish).toBe('length')
  })

  test('counts once its finish reason is here, though the connection then breaks or hangs', async () => {
    const whole = chunks([{ content: 'Done.' }], [{}, 'stop'])
    const late = { error: { message: 'late', code: 500 } }
    const chat = await chatWith(
      (n) => (n === 1 ? { ...whole, done: false } : { chunks: [...whole.chunks, late] }),
      { timers: { ...patient, idle: '300ms' } },
    )
    expect((await chat.ask(question, { signal: still() })).text).toBe('Done.')
    expect((await chat.ask(question, { signal: still() })).text).toBe('Done.')
  })

  test('reasoning keeps a slow answer alive', async () => {
    const chat = await chatWith(
      { reasoning: Array.from({ length: 30 }, () => 'hm '), text: 'Yes.', paceMs: 100 },
      { timers: { ...patient, idle: '2s' } },
    )
    expect((await chat.ask(question, { signal: still() })).text).toBe('Yes.')
  })
})

describe('a request', () => {
  test('writes history, calls and results as servers read them', async () => {
    const chat = await chatWith({ text: 'ok' })
    await chat.ask(
      {
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Write.' },
          { role: 'assistant', content: '', calls: [{ id: 'c', tool: 'a.b__write', args: { path: 'x' } }] },
          { role: 'tool', call: 'c', content: 'written' },
          { role: 'assistant', content: 'Hm', calls: [{ id: 'd', tool: 'a.b__write', args: 'not json' }] },
          { role: 'tool', call: 'd', content: 'arguments are not JSON' },
        ],
        tools: [{ name: 'a.b__write', description: 'Writes.', parameters: { type: 'object' } }],
        maxTokens: 50,
      },
      { signal: still() },
    )
    const { body } = server?.requests[0] ?? {}
    expect(body?.max_tokens).toBe(50)
    expect(body?.tools?.[0]?.function.name).toBe('a_b__write')
    expect(body?.messages.slice(2)).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          { id: 'c', type: 'function', function: { name: 'a_b__write', arguments: '{"path":"x"}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'c', content: 'written' },
      {
        role: 'assistant',
        content: 'Hm',
        tool_calls: [
          {
            id: 'd',
            type: 'function',
            function: { name: 'a_b__write', arguments: '{"invalid":"not json"}' },
          },
        ],
      },
      { role: 'tool', tool_call_id: 'd', content: 'arguments are not JSON' },
    ])
  })

  test('names of tools that servers refuse come back as ours', async () => {
    const chat = await chatWith({ calls: [{ name: 'a_b_2', args: {} }] })
    const both = ['a_b', 'a.b'].map((name) => ({ name, description: '', parameters: {} }))
    const { calls } = await chat.ask({ ...question, tools: both }, { signal: still() })
    expect(calls[0]?.tool).toBe('a.b')
  })

  test('is sent again once, without stream_options, to a server that refuses them', async () => {
    const refusal = { status: 400, body: { error: { message: 'Unrecognized field: stream_options' } } }
    const chat = await chatWith((n) => (n === 1 ? refusal : { text: 'ok' }))
    expect((await chat.ask(question, { signal: still() })).text).toBe('ok')
    await chat.ask(question, { signal: still() })
    expect(server?.requests.map((seen) => 'stream_options' in seen.body)).toEqual([true, false, false])
  })

  test('is not sent for ever to a server that refuses whatever is left out', async () => {
    const chat = await chatWith({ status: 400, body: { error: { message: 'stream_options, always' } } })
    expect((await faultOf(chat.ask(question, { signal: still() }))).code).toBe('model-refused')
    expect(server?.requests).toHaveLength(2)
  })

  test('learns the newer name of the token limit', async () => {
    const message =
      "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    const chat = await chatWith(
      (n) => (n === 1 ? { status: 400, body: { error: { message, param: 'max_tokens' } } } : { text: 'ok' }),
      { maxOutputTokens: 70 },
    )
    await chat.ask(question, { signal: still() })
    expect(server?.requests[1]?.body).toMatchObject({ max_completion_tokens: 70 })
    expect(server?.requests[1]?.body).not.toHaveProperty('max_tokens')
  })

  test('carries the key of the pool, and none where there is none', async () => {
    const chat = await chatWith({ text: 'ok' }, { key: 'KEY' }, { KEY: 'sk-secret-1' })
    await chat.ask(question, { signal: still() })
    expect(server?.requests[0]?.headers.authorization).toBe('Bearer sk-secret-1')
    const open = openChat({ model: 'test', replicas: [server?.url ?? ''] }, {})
    await open.ask(question, { signal: still() })
    expect(server?.requests[1]?.headers.authorization).toBeUndefined()
  })

  test('reaches Azure: header of its own, version in the address', async () => {
    server = await openModelServer()
    const chat = openChat(
      {
        model: 'gpt',
        replicas: [`${server.url.replace('/v1', '')}/openai/deployments/gpt?api-version=2026-01-01`],
        headers: { 'api-key': `\${AZURE_KEY}` },
      },
      { AZURE_KEY: 'azure-secret' },
    )
    await chat.ask(question, { signal: still() })
    expect(server.requests[0]?.path).toBe('/openai/deployments/gpt/chat/completions?api-version=2026-01-01')
    expect(server.requests[0]?.headers).toMatchObject({ 'api-key': 'azure-secret' })
    expect(server.requests[0]?.headers.authorization).toBeUndefined()
  })

  test('needs every variable the pool names', () => {
    const pool = { model: 'test', replicas: ['http://127.0.0.1:1/v1'] }
    expect(() => openChat({ ...pool, key: 'KEY' }, {})).toThrow(/KEY, which is not set/)
    expect(() => openChat({ ...pool, headers: { a: `\${NO}` } }, {})).toThrow(/NO, which is not set/)
    expect(() => openChat({ ...pool, replicas: ['http://u:p@127.0.0.1/v1'] }, {})).toThrow(/credentials/)
  })
})

describe('a failure', () => {
  const table: [name: string, reply: Reply, code: string, retry: boolean, words: RegExp][] = [
    ['a stream without end', { fault: 'cut' }, 'model-cut', true, /ended in the middle/],
    ['a reset connection', { fault: 'reset' }, 'model-cut', true, /broke in the middle/],
    ['an engine that dies', { fault: 'error-chunk' }, 'model-cut', true, /the engine died/],
    [
      'silence before the first token',
      { fault: 'stall-before' },
      'model-stalled',
      true,
      /nothing for 0.3 s$/,
    ],
    ['silence after it', { fault: 'stall-after' }, 'model-stalled', true, /in the middle/],
    ['no answer at all', { fault: 'hang-up' }, 'model-unreachable', true, /cannot be reached/],
    ['a page', { fault: 'html' }, 'model-nonsense', true, /text\/html: Welcome/],
    ['a broken stream', { fault: 'garbage' }, 'model-nonsense', true, /not JSON/],
    ['plain JSON', { status: 200, body: { hello: 1 } }, 'model-nonsense', true, /no stream/],
    ['an empty answer', { text: '' }, 'model-nonsense', true, /with nothing/],
    [
      'thoughts and nothing else',
      { reasoning: 'hm', finish: 'length' },
      'model-nonsense',
      true,
      /used up its tokens/,
    ],
    ['a nameless call', { calls: [{ name: '', args: {} }] }, 'model-nonsense', true, /without naming/],
    ['a filter', { text: 'x', finish: 'content_filter' }, 'model-refused', false, /filter/],
    ['an aborted generation', { text: 'x', finish: 'abort' }, 'model-cut', true, /"abort"/],
    ['an overload', { status: 503, body: { error: { message: 'busy' } } }, 'model-overloaded', true, /busy/],
    ['a rate limit', { status: 429, body: { error: 'slow down' } }, 'model-overloaded', true, /slow down/],
    [
      'an empty purse',
      { status: 429, body: { error: { message: 'Pay.', code: 'insufficient_quota' } } },
      'model-refused',
      false,
      /out of credit/,
    ],
    ['a gateway', { status: 502, body: '<html><title>Bad</title>' }, 'model-unreachable', true, /gateway/],
    ['a bug of the server', { status: 500, body: { detail: 'oops' } }, 'model-refused', true, /oops/],
    [
      'an unknown model',
      { status: 404, body: { error: "model 'x' not found" } },
      'model-refused',
      false,
      /x/,
    ],
    ['a redirect', { status: 307, headers: { location: '/x' } }, 'model-refused', false, /elsewhere/],
    [
      'overflow at vLLM',
      { status: 400, body: { error: { message: 'too long', param: 'input_tokens', code: 400 } } },
      'model-too-long',
      false,
      /does not fit/,
    ],
    [
      'overflow at OpenAI',
      { status: 400, body: { error: { message: 'too long', code: 'context_length_exceeded' } } },
      'model-too-long',
      false,
      /does not fit/,
    ],
    [
      'overflow at llama.cpp',
      { status: 400, body: { error: { message: 'too long', type: 'exceed_context_size_error' } } },
      'model-too-long',
      false,
      /does not fit/,
    ],
    [
      'an overload in the stream',
      { chunks: [chunkOf('test', { content: 'x' }), { error: { message: 'busy', code: 503 } }] },
      'model-overloaded',
      true,
      /busy/,
    ],
  ]

  test.each(table)('%s', async (_, reply, code, retry, words) => {
    const slow = 'fault' in reply ? reply.fault : ''
    const timers = {
      ...patient,
      ...(slow === 'stall-before' ? { firstToken: '300ms' } : {}),
      ...(slow === 'stall-after' ? { idle: '300ms' } : {}),
    }
    const chat = await chatWith(reply, { timers })
    const fault = await faultOf(chat.ask(question, { signal: still() }))
    expect([fault.code, fault.retry]).toEqual([code, retry])
    expect(fault.message).toMatch(words)
    expect(server?.requests).toHaveLength(1)
  })

  test('a server that is not there', async () => {
    const chat = openChat({ model: 'test', replicas: [await nowhere()] }, {})
    const fault = await faultOf(chat.ask(question, { signal: still() }))
    expect([fault.code, fault.retry]).toEqual(['model-unreachable', true])
    expect(fault.message).toContain('ECONNREFUSED')
  })

  test('an answer that never ends', async () => {
    const chat = await chatWith(
      { text: Array.from({ length: 100 }, () => 'word '), paceMs: 20 },
      { timers: { ...patient, total: '400ms' } },
    )
    const fault = await faultOf(chat.ask(question, { signal: still() }))
    expect([fault.code, fault.retry]).toEqual(['model-stalled', false])
    await expect.poll(() => server?.abandoned()).toBe(1)
  })

  test('says how long the server wants to be left alone', async () => {
    const chat = await chatWith({ status: 429, body: {}, headers: { 'retry-after': '7' } })
    expect(retryAfterMs(await faultOf(chat.ask(question, { signal: still() })))).toBe(7_000)
  })

  test('never repeats a key, though the server does', async () => {
    const message = 'Incorrect key sk-secret-1 or Basic-secret-2 \u202e\n given'
    const chat = await chatWith(
      { status: 401, body: { error: { message } } },
      { key: 'KEY', headers: { 'x-auth': `\${AUTH}` } },
      { KEY: 'sk-secret-1', AUTH: 'Basic-secret-2' },
    )
    const fault = await faultOf(chat.ask(question, { signal: still() }))
    expect(fault.code).toBe('model-refused')
    expect(fault.message).toContain('Incorrect key … or … given')
    expect(JSON.stringify({ ...fault, stack: fault.stack, cause: fault.cause })).not.toMatch(/secret-/)
    expect((await chat.probe()).ok).toBe(true)
  })
})

describe('the caller', () => {
  test('aborts before the first token and gets its own reason', async () => {
    const chat = await chatWith({ fault: 'stall-before' }, { timers: {} })
    const controller = new AbortController()
    const asked = chat.ask(question, { signal: controller.signal })
    await expect.poll(() => server?.requests.length).toBe(1)
    controller.abort('enough')
    await expect(asked).rejects.toBe('enough')
    await expect.poll(() => server?.abandoned()).toBe(1)
  })

  test('aborts in the middle and gets its own reason', async () => {
    const chat = await chatWith({ fault: 'stall-after' }, { timers: {} })
    const controller = new AbortController()
    const why = new Error('stopped')
    const asked = chat.ask(question, { signal: controller.signal, onText: () => controller.abort(why) })
    await expect(asked).rejects.toBe(why)
    await expect.poll(() => server?.abandoned()).toBe(1)
  })

  test('that aborted already is not served', async () => {
    const chat = await chatWith({ text: 'x' })
    await expect(chat.ask(question, { signal: AbortSignal.abort('no') })).rejects.toBe('no')
    expect(server?.requests).toHaveLength(0)
  })

  test('gets its own bug back, and the server is let go', async () => {
    const chat = await chatWith({ fault: 'stall-after' })
    const bug = new TypeError('mine')
    const asked = chat.ask(question, {
      signal: still(),
      onText: () => {
        throw bug
      },
    })
    await expect(asked).rejects.toBe(bug)
    await expect.poll(() => server?.abandoned()).toBe(1)
  })
})

describe('a probe', () => {
  test('lists the models', async () => {
    server = await openModelServer(undefined, { models: ['a', 'b'] })
    const chat = openChat({ model: 'a', replicas: [server.url] }, {})
    expect(await chat.probe()).toEqual({ ok: true, models: ['a', 'b'] })
  })

  test('says why it cannot', async () => {
    const chat = openChat({ model: 'a', replicas: [await nowhere()] }, {})
    expect(await chat.probe()).toEqual({ ok: false, why: expect.stringContaining('ECONNREFUSED') })
    const closed = createServer((socket) => socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'))
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port } = closed.address() as AddressInfo
    const lost = openChat({ model: 'a', replicas: [`http://127.0.0.1:${port}`] }, {})
    expect(await lost.probe()).toEqual({ ok: false, why: expect.stringContaining('/v1') })
    closed.close()
  })
})
