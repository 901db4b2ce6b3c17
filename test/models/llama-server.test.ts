/**
 * The pool on real servers: LLAMA_SERVER names llama.cpp's `llama-server`, LLAMA_MODEL a GGUF file with a chat template
 * (a tiny one of ours where it is left out). Without a server this says so and does nothing.
 */
import { afterAll, beforeAll, describe } from 'vitest'
import { LLAMA_CONTEXT, type LlamaServers, openLlamaServers } from '../support/llama-server.ts'
import { closeAfterEach, testPool } from '../support/pool-cases.ts'

const program = process.env.LLAMA_SERVER
if (!program) console.log('skipped: LLAMA_SERVER is not set')

describe.skipIf(!program)('real llama-servers', () => {
  let servers: LlamaServers
  beforeAll(async () => {
    servers = await openLlamaServers(program ?? '', 3)
  }, 180_000)
  afterAll(() => servers?.[Symbol.asyncDispose]())
  closeAfterEach()
  testPool((n) => servers.open(n), {
    timers: { firstToken: '3s', idle: '3s', total: '30s' },
    window: LLAMA_CONTEXT,
  })
})
