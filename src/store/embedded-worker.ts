/** The thread that runs the embedded database and serves it on a Unix socket. */
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { pg_textsearch } from '@electric-sql/pglite-pg_textsearch'
import { vector } from '@electric-sql/pglite-pgvector'
import { serveWire } from './embedded-wire.ts'

/** What the opener hands over: where the files are, and where to listen (a Unix socket, or a port of loopback). */
export type EmbeddedWork = { dir: string; listen: { path: string } | { port: number; host: string } }

/** What the thread reports when it serves; it ends after any message to it. */
export type EmbeddedNews = { port: number | undefined }

const work = workerData as EmbeddedWork

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
  const news: EmbeddedNews = { port: typeof address === 'object' ? address?.port : undefined }
  parentPort?.postMessage(news)
})

parentPort?.once('message', async () => {
  const closed = new Promise((resolve) => server.close(resolve))
  for (const socket of sockets) socket.destroy()
  await closed
  await engine.exec('rollback; checkpoint')
  await engine.close()
  parentPort?.close()
})
