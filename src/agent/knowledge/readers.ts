/** Which reader a source of sources.yaml is read by. */
import path from 'node:path'
import { Fault } from '../../core/fault.ts'
import type { Source } from '../../core/home.ts'
import { countDirectory, readDirectory } from '../../sources/directory.ts'
import type { Opened } from '../../sources/entry.ts'
import { type ResourceServer, readResources } from '../../sources/resources.ts'

/** What readers need of the deployment. */
export type Readers = {
  /** The directory that relative directories of sources start from. */
  home: string
  /** The resources of a tool server; absent where no tools are open. */
  resources?: ((server: string) => ResourceServer) | undefined
}

/** Opens a source; what it holds is read as its entries are asked for. @throws Fault `source-unreadable` */
export function openSource({ home, resources }: Readers, source: Source): Opened {
  if ('directory' in source) {
    const directory = path.resolve(home, source.directory)
    return {
      place: directory,
      entries: readDirectory(directory, source),
      count: () => countDirectory(directory, source),
    }
  }
  const { tool_server: server } = source
  if (!resources)
    throw new Fault('source-unreadable', `The resources of ${server} are read by \`quorum start\` only.`)
  const entries = readResources(resources(server), source.resources)
  return { place: `The tool server ${server}`, entries: asFault(server, entries) }
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
