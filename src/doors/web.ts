/** How pages of the web are got: through the guard that tool servers are reached through. */
import { isIP } from 'node:net'
import type { WebFetch } from '../sources/web.ts'
import { addressKind } from '../tools/address.ts'
import { guardedFetch } from '../tools/egress.ts'

/** Of one answer at most, in bytes and ms; the reader of pages asks for less of most of them. */
const LIMITS = { maxBytes: 51 * 1024 * 1024, timeoutMs: 30_000 }

/**
 * A fetch for the pages of a source, from these hosts and no others: naming one in sources.yaml allows it also where it
 * is a private address, a link-local one never. Redirects are left to the caller.
 */
export function webFetch(source: string, hosts: string[]): WebFetch {
  const url = new URL(`http://${hosts[0] ?? ''}/`)
  const fetch = guardedFetch({ server: source, url, egress: hosts.filter(mayBeNamed) }, LIMITS)
  return (page, init) => fetch(page, { ...init, redirect: 'manual' })
}

/** A link-local or reserved address is no place for pages, whoever names it. */
function mayBeNamed(host: string): boolean {
  const bare = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
  return isIP(bare) === 0 || addressKind(bare) !== 'special'
}
