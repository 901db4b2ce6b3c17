/** Having servers tell of changes of the resources that are read from them. */
import type { Client } from '@modelcontextprotocol/client'

/** Resources of one server that are followed at most; of those beyond, changes are seen when all is read again. */
const MOST = 500
const TIMEOUT = { timeout: 10_000 }

/**
 * Answers what has a connected server tell when one of these resources changes, as far as it can. Asked again for the
 * same ones it does nothing. What is told comes to where the client was given its handlers.
 */
export function openFollowing(): (client: Client, uris: readonly string[]) => Promise<void> {
  const followed = new WeakMap<Client, { uris: Set<string>; close?: () => Promise<void> }>()
  return async (client, all) => {
    if (!client.getServerCapabilities()?.resources?.subscribe) return
    const uris = all.slice(0, MOST)
    const before = followed.get(client)
    const fresh = uris.filter((uri) => !before?.uris.has(uri))
    if (fresh.length === 0) return
    if (client.getProtocolEra() === 'modern') {
      const listening = await client.listen({ resourceSubscriptions: uris }, TIMEOUT)
      const known = { uris: new Set(uris), close: () => listening.close() }
      followed.set(client, known)
      void listening.closed.then(() => followed.get(client) === known && followed.delete(client))
      await before?.close?.()
      return
    }
    const known = before ?? { uris: new Set<string>() }
    followed.set(client, known)
    for (const uri of fresh) {
      await client.subscribeResource({ uri }, TIMEOUT)
      known.uris.add(uri)
    }
  }
}
