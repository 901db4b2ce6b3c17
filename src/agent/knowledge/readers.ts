/** Which reader a source of sources.yaml is read by. */
import path from 'node:path'
import type pg from 'pg'
import { Fault } from '../../core/fault.ts'
import type { Source } from '../../core/home.ts'
import { countDirectory, readDirectory } from '../../sources/directory.ts'
import type { Opened } from '../../sources/entry.ts'
import { countCheckout, fetchCheckout, type GitEnv, isAddress, readCheckout } from '../../sources/git.ts'
import { type ResourceServer, readResources } from '../../sources/resources.ts'
import { readWeb, type WebFetch } from '../../sources/web.ts'
import type { Shelf } from '../../store/documents.ts'
import { forgetPagesBeside, putPageRow, readPageRow } from '../../store/pages.ts'

/** What readers need of the deployment. */
export type Readers = {
  /** The directory that relative directories of sources start from. */
  home: string
  /** The resources of a tool server; absent where no tools are open. */
  resources?: ((server: string) => ResourceServer) | undefined
  /** Where checkouts of addresses are kept, and the environment git runs in; absent: no address is fetched. */
  git?: { place: string; env: GitEnv } | undefined
  /** What the pages of a source are got by, from these hosts only; absent where no page may be got. */
  web?: ((source: string, hosts: string[]) => WebFetch) | undefined
  pool: pg.Pool
}

type Reading = { shelf: Shelf; source: Source; signal?: AbortSignal | undefined }

/** Opens a source; what it holds is read as its entries are asked for. @throws Fault `source-unreadable` */
export function openSource(readers: Readers, { shelf, source, signal }: Reading): Opened {
  const { home, resources } = readers
  if ('directory' in source) {
    const directory = path.resolve(home, source.directory)
    return {
      place: directory,
      entries: readDirectory(directory, source, signal),
      count: () => countDirectory(directory, source),
    }
  }
  if ('git' in source) return openCheckout(readers, source, signal)
  if ('web' in source) {
    const { pool, web } = readers
    const { sitemap, hosts } = source.web
    if (!web) throw new Fault('source-unreadable', 'Pages of the web are not read here.')
    const looked: string[] = []
    const entries = readWeb(source.web, {
      fetch: web(shelf.source, [new URL(sitemap).host, ...hosts]),
      seen: (url) => {
        looked.push(url)
        return readPageRow(pool, shelf, url)
      },
      remember: (url, seen) => putPageRow(pool, shelf, url, seen),
      signal,
    })
    const whole = async function* () {
      yield* entries
      await forgetPagesBeside(pool, shelf, looked)
    }
    return { place: `The site of ${sitemap}`, entries: whole() }
  }
  const { tool_server: server } = source
  if (!resources)
    throw new Fault('source-unreadable', `The resources of ${server} are read by \`quorum start\` only.`)
  const entries = readResources(resources(server), source.resources, signal)
  return { place: `The tool server ${server}`, entries: asFault(server, entries) }
}

function openCheckout(
  { home, git }: Readers,
  source: Extract<Source, { git: string }>,
  signal: AbortSignal | undefined,
): Opened {
  const { git: where, branch } = source
  const checkout = { ...source, env: git?.env, signal }
  if (!isAddress(where)) {
    const directory = path.resolve(home, where)
    return {
      place: directory,
      entries: readCheckout(directory, checkout),
      count: () => countCheckout(directory, checkout),
    }
  }
  if (!git) throw new Fault('source-unreadable', 'There is no place to keep checkouts in.')
  async function* fetched({ place, env }: { place: string; env: GitEnv }) {
    yield* readCheckout(await fetchCheckout(place, { url: where, branch, env, signal }), checkout)
  }
  return { place: 'The repository', entries: fetched(git) }
}

/** A server that cannot be asked is a source that cannot be read. */
async function* asFault<T>(server: string, entries: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* entries
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    throw new Fault('source-unreadable', `The resources of ${server} cannot be read: ${cause.message}`, {
      cause,
    })
  }
}
