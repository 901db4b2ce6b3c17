/** A queue server for tests: an embedded one, or that of TEST_REDIS_URL under a name of one's own. */
import { randomUUID } from 'node:crypto'
import { openEmbeddedQueue } from '../../src/queue/embedded.ts'

/** `url` and `name` are what `openQueue` takes, here and in child processes. */
export type TestQueueServer = AsyncDisposable & { url: string; name: string; close(): Promise<void> }

export async function openTestQueueServer(): Promise<TestQueueServer> {
  const name = `test-${randomUUID()}`
  const given = process.env.TEST_REDIS_URL
  const server = given ? { url: given, close: async () => {} } : await openEmbeddedQueue()
  return { url: server.url, name, close: server.close, [Symbol.asyncDispose]: server.close }
}
