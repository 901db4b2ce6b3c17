/** Forgetting a connected account. */
import type { HeardOf } from '../../core/heard.ts'
import { deleteCredential } from '../../store/credentials.ts'
import type { Tx } from '../../store/transaction.ts'
import { type Grant, type OAuthServer, revokeGrant } from '../../tools/oauth.ts'
import { type ConnectContext, findServer } from './connect.ts'
import { openAccount, placeOf } from './vault.ts'

/** What is left to do after an account was forgotten here. */
export type Disconnected = { server: string; revoke?: () => Promise<boolean> }

/**
 * Forgets an account; undefined where the person may not, or there is none. The authorization server is told
 * afterwards, outside of the transaction.
 */
export async function disconnect(
  context: ConnectContext,
  tx: Tx,
  heard: HeardOf<'pressed'>,
  admin: boolean,
): Promise<Disconnected | undefined> {
  const server = findServer(context, heard.subject)
  if (!server) return undefined
  const shared = server.auth.per === 'workspace'
  if (shared && !admin) return undefined
  const place = placeOf(server, { workspace: heard.workspace, person: shared ? '' : heard.user })
  const gone = await deleteCredential(tx, place)
  if (!gone) return undefined
  const { seal } = context
  if (!seal) return { server: server.name }
  try {
    const { grant } = await openAccount(tx, seal, place, gone)
    return { server: server.name, revoke: () => revoke(context, server, grant) }
  } catch {
    return { server: server.name }
  }
}

async function revoke(context: ConnectContext, server: OAuthServer, grant: Grant): Promise<boolean> {
  const told = await revokeGrant(server, grant, context.fetchFor(server))
  context.log('info', 'an account was disconnected', { server: server.name, revoked: told })
  return told
}
