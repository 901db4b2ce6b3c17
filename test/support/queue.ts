/** A queue server for tests: an embedded one, or that of TEST_REDIS_URL under a name of one's own. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { openEmbeddedQueue } from '../../src/queue/embedded.ts'

/** `url` and `name` are what `openQueue` takes, here and in child processes. */
export type TestQueueServer = AsyncDisposable & { url: string; name: string; close(): Promise<void> }

export async function openTestQueueServer(): Promise<TestQueueServer> {
  const name = `test-${randomUUID()}`
  const given = process.env.TEST_REDIS_URL
  const server = given ? { url: given, close: async () => {} } : await openEmbeddedQueue()
  return { url: server.url, name, close: server.close, [Symbol.asyncDispose]: server.close }
}

/** A way to a server that can be cut and mended: while it is cut, nothing listens. */
export type Wire = AsyncDisposable & { url: string; cut(): Promise<void>; mend(): Promise<void> }

/** Puts a wire before the server of `url`. */
export async function openWire(url: string): Promise<Wire> {
  const behind = new URL(url)
  const sockets = new Set<net.Socket>()
  const server = net.createServer((near) => {
    const far = net.connect(Number(behind.port || 6379), behind.hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        far.destroy()
        sockets.delete(socket)
      })
    }
    near.pipe(far)
    far.pipe(near)
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(0)
  const { port } = server.address() as net.AddressInfo
  const cut = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  const here = new URL(url)
  here.host = `127.0.0.1:${port}`
  return {
    url: here.href,
    cut,
    mend: () => listen(port),
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await cut()
    },
  }
}
