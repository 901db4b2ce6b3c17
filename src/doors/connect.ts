/** Connect, wired: the links, the pages behind them, and where they are served. */
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { type ConnectContext, finishConnect, seeTicket, startConnect } from '../agent/accounts/connect.ts'
import type { Env } from '../core/env.ts'
import { connectPages } from '../web/connect.ts'
import type { Engines } from './engines.ts'

/** What connecting needs. `port` is asked when a link is made: it may be known late. */
export function connectContext(
  engines: Engines,
  port: () => number,
  isAdmin: ConnectContext['isAdmin'],
): ConnectContext {
  const { env, home, store, seal, fetchFor, log } = engines
  return {
    pool: store.pool,
    servers: home.servers,
    env: process.env,
    seal,
    base: () => addressOf(env, port()),
    isAdmin,
    fetchFor,
    log,
  }
}

/** The pages; `name` gives a person's name in the Slack of a workspace. */
export function pagesFor(
  context: ConnectContext,
  name: (workspace: string, user: string) => Promise<string>,
): Hono {
  return connectPages({
    async see(ticket) {
      const seen = await seeTicket(context, ticket)
      return seen.ok ? { ...seen, name: `${await name(seen.workspace, seen.asker)} (${seen.asker})` } : seen
    },
    start: (ticket, browser) => startConnect(context, ticket, browser),
    finish: (answer, browser) => finishConnect(context, answer, browser),
    secure: () => context.base().startsWith('https:'),
  })
}

/** The pages on Bolt's own port, beside signed HTTP. */
export function connectRoutes(pages: () => Hono) {
  const handler = getRequestListener((request) => pages().fetch(request))
  return [{ path: '/connect/:ticket', method: ['GET', 'POST'], handler }]
}

/** Where browsers reach us, without a slash at the end. */
export function addressOf(env: Pick<Env, 'QUORUM_URL' | 'HOST'>, port: number): string {
  if (env.QUORUM_URL) return env.QUORUM_URL.replace(/\/+$/, '')
  const everywhere = ['0.0.0.0', '::', ''].includes(env.HOST)
  const host = everywhere ? '127.0.0.1' : env.HOST
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
