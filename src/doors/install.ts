/** Installing, wired: the pages, and where they are served. */
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import { beginInstall, finishInstall, type InstallContext, newBrowser } from '../agent/installs/install.ts'
import { Fault } from '../core/fault.ts'
import { neededScopes } from '../slack/identify.ts'
import type { SlackOAuth } from '../slack/oauth.ts'
import { SECRET_HELP, type Seal } from '../store/seal.ts'
import { installPages } from '../web/install.ts'
import type { Engines } from './engines.ts'

/** What tokens are sealed with. @throws Fault config-invalid where there is no key */
export function sealFor({ seal }: Pick<Engines, 'seal'>): Seal {
  if (seal) return seal
  throw new Fault('config-invalid', `Tokens of workspaces are kept sealed: set QUORUM_SECRET. ${SECRET_HELP}`)
}

/** The pages on which workspaces install us. */
export function pagesToInstall(
  { store, log }: Pick<Engines, 'store' | 'log'>,
  held: { oauth: SlackOAuth; seal: Seal },
  { base, poke, isServed }: Pick<InstallContext, 'base' | 'poke' | 'isServed'>,
): Hono {
  const context: InstallContext = {
    pool: store.pool,
    ...held,
    base,
    scopes: neededScopes(),
    poke,
    isServed,
    log,
  }
  return installPages({
    begin: (invitation, browser) => beginInstall(context, { invitation, browser }),
    finish: (answer, browser) => finishInstall(context, answer, browser),
    newBrowser,
    secure: () => base().startsWith('https:'),
  })
}

/** The pages on Bolt's own port, beside signed HTTP. */
export function installRoutes(pages: () => Hono) {
  const handler = getRequestListener((request) => pages().fetch(request))
  return ['/slack/install', '/slack/oauth_redirect'].map((path) => ({ path, method: ['GET'], handler }))
}
