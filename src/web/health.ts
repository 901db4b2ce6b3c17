/** The health of this process over HTTP: for containers and load balancers. */
import { type ServerType, serve } from '@hono/node-server'
import { Hono } from 'hono'
import { Fault } from '../core/fault.ts'

/** One thing that must work; it throws, with a sentence, where it does not. */
export type Check = { name: string; check: () => Promise<void> }

/** Asks every check, each at most 3 s. `ok` where all of them passed. */
export async function askHealth(
  checks: readonly Check[],
): Promise<{ ok: boolean; checks: Record<string, string> }> {
  const results = await Promise.all(
    checks.map(async ({ name, check }) => [name, await sentenceOf(check)] as const),
  )
  return { ok: results.every(([, said]) => said === 'ok'), checks: Object.fromEntries(results) }
}

async function sentenceOf(check: () => Promise<void>): Promise<string> {
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(() => late.resolve('did not answer in 3 s'), 3000)
  try {
    return await Promise.race([check().then(() => 'ok'), late.promise])
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    clearTimeout(timer)
  }
}

/** Ports tried after a taken one: several processes may run on one machine. */
const NEXT_PORTS = 20

/** Serves `GET /health`: 200 where everything works, else 503, both with what was found, and further pages. A taken port is the next. */
export async function openHealth(
  where: { host: string; port: number },
  checks: readonly Check[],
  pages?: Hono,
): Promise<{ port: number; close(): Promise<void> }> {
  const app = new Hono()
  app.get('/health', async (c) => {
    const health = await askHealth(checks)
    return c.json(health, health.ok ? 200 : 503)
  })
  if (pages) app.route('/', pages)
  const server = await listen(app, where.host, where.port, where.port === 0 ? 0 : NEXT_PORTS)
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : where.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        // A connection that never asks anything would hold the end of the process for a minute.
        if ('closeAllConnections' in server) server.closeAllConnections()
      }),
  }
}

async function listen(app: Hono, host: string, port: number, more: number): Promise<ServerType> {
  try {
    return await new Promise((resolve, reject) => {
      const opened: ServerType = serve({ fetch: app.fetch, hostname: host, port }, () => resolve(opened))
      opened.once('error', reject)
    })
  } catch (error) {
    const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
    if (taken && more > 0) return listen(app, host, port + 1, more - 1)
    const why = taken ? `the ports from ${port - NEXT_PORTS} to ${port} are taken` : String(error)
    throw new Fault('config-invalid', `Health cannot be served at ${host}: ${why}. Set HOST and PORT.`, {
      cause: error,
    })
  }
}
