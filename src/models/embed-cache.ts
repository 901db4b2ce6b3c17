/** Vectors kept in a file, by model and text, so that measuring the same texts again takes no time. */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Embedder, EmbedOptions } from './embed.ts'

/** The embedder, asked only for texts that are not in the file yet. Closing closes both. Several may share a file. */
export function cacheVectors(embedder: Embedder, file: string): Embedder {
  mkdirSync(path.dirname(file), { recursive: true })
  const kept = new DatabaseSync(file, { timeout: 60_000 })
  kept.exec(`create table if not exists vectors (
    model text, hash text, vector blob, primary key (model, hash)) without rowid`)
  const get = kept.prepare('select vector from vectors where model = ? and hash = ?')
  const put = kept.prepare('insert or replace into vectors values (?, ?, ?)')
  const find = (model: string, hash: string) => {
    const blob = get.get(model, hash)?.vector as Uint8Array | undefined
    return blob && [...new Float32Array(blob.slice().buffer)]
  }
  const embed = async (texts: string[], options: EmbedOptions = {}) => {
    const model = keyOf(embedder, options.priority)
    const wanted = texts.map((text) => ({ text, hash: createHash('sha256').update(text).digest('hex') }))
    const found = new Map(wanted.map(({ hash }) => [hash, find(model, hash)]))
    const missing = wanted.filter(({ hash }) => found.get(hash) === undefined)
    const made =
      missing.length > 0
        ? await embedder.embed(
            missing.map(({ text }) => text),
            options,
          )
        : []
    for (const [at, { hash }] of missing.entries()) {
      found.set(hash, made[at])
      put.run(model, hash, new Uint8Array(new Float32Array(made[at] ?? []).buffer))
    }
    return wanted.map(({ hash }) => found.get(hash) ?? [])
  }
  const close = async () => {
    await embedder.close()
    if (kept.isOpen) kept.close()
  }
  const cached: Embedder = {
    ...embedder,
    embed,
    of: (wish) => (embedder.of(wish)?.model === embedder.model ? cached : undefined),
    close,
    [Symbol.asyncDispose]: close,
  }
  return cached
}

/** All that vectors depend on beside the text: a server may have another model under the same name. */
function keyOf(
  { model: { name, revision, origin } }: Embedder,
  priority: EmbedOptions['priority'] = 'bulk',
): string {
  if (!origin) return `${name}@${revision}`
  const { url, dimensions, prefix } = origin
  const before = priority === 'query' ? prefix?.query : prefix?.passage
  return JSON.stringify([name, revision, url, dimensions ?? null, before ?? ''])
}
