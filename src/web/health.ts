/** The health of this process over HTTP: for containers and load balancers. */
import { type ServerType, serve } from '@hono/node-server'
import { Hono } from 'hono'

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

/** Serves `GET /health`: 200 where everything works, else 503, both with what was found. */
export async function openHealth(
  where: { host: string; port: number },
  checks: readonly Check[],
): Promise<{ port: number; close(): Promise<void> }> {
  const app = new Hono()
  app.get('/health', async (c) => {
    const health = await askHealth(checks)
    return c.json(health, health.ok ? 200 : 503)
  })
  const server = await new Promise<ServerType>((resolve, reject) => {
    const opened: ServerType = serve({ fetch: app.fetch, hostname: where.host, port: where.port }, () =>
      resolve(opened),
    )
    opened.once('error', reject)
  })
  const address = server.address()
  return {
    port: typeof address === 'object' && address ? address.port : where.port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}
