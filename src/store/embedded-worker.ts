/** The thread that runs the embedded database and serves it on a Unix socket. */
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { pg_textsearch } from '@electric-sql/pglite-pg_textsearch'
import { vector } from '@electric-sql/pglite-pgvector'
import { serveWire } from './embedded-wire.ts'

/** What the opener hands over: where the files are, and where to listen (a Unix socket, or a port of loopback). */
export type EmbeddedWork = { dir: string; listen: { path: string } | { port: number; host: string } }

/** What the thread reports, in order: `ready` once, then `closed` after it was told `close`. */
export type EmbeddedNews = { kind: 'ready'; port?: number } | { kind: 'closed' }

const work = workerData as EmbeddedWork
const tell = (news: EmbeddedNews) => parentPort?.postMessage(news)

const engine = await PGlite.create({ dataDir: work.dir, extensions: { vector, pg_textsearch } })
const server = await serveWire(engine, (error) => {
  queueMicrotask(() => {
    throw error
  })
})
const sockets = new Set<{ destroy(): void }>()
server.on('connection', (socket) => {
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
})
server.listen(work.listen, () => {
  const address = server.address()
  tell(address && typeof address === 'object' ? { kind: 'ready', port: address.port } : { kind: 'ready' })
})

parentPort?.once('message', async () => {
  const closed = new Promise((resolve) => server.close(resolve))
  for (const socket of sockets) socket.destroy()
  await closed
  await engine.exec('rollback; checkpoint')
  await engine.close()
  tell({ kind: 'closed' })
  parentPort?.close()
})
