/** Knowledge for tests: directories of files, and an embedding model that needs no weights. */
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type pg from 'pg'
import { PROBE } from '../../src/agent/knowledge/embed.ts'
import type { Embeddings } from '../../src/core/home.ts'
import type { Embedder, Engine } from '../../src/models/embed.ts'
import type { Db } from '../../src/store/transaction.ts'
import { useModel, type VectorTable } from '../../src/store/vectors.ts'

/** A directory of one's own with these files, all of 2026-05-02; disposing of it removes it. */
export async function openFiles(
  files: Record<string, string | Buffer>,
): Promise<AsyncDisposable & { dir: string; write(file: string, text: string | Buffer): Promise<void> }> {
  const dir = await mkdtemp(path.join(tmpdir(), 'quorum-files-'))
  const write = async (file: string, text: string | Buffer) => {
    const place = path.join(dir, file)
    await mkdir(path.dirname(place), { recursive: true })
    await writeFile(place, text)
    const day = new Date('2026-05-02T12:00:00Z')
    await utimes(place, day, day)
  }
  for (const [file, text] of Object.entries(files)) await write(file, text)
  return { dir, write, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) }
}

/** The table of a model that makes vectors of this length; the first one of a workspace serves at once. */
export function openVectors(
  pool: pg.Pool,
  { workspace = 'T1', name = 'm', dimensions = DIMENSIONS } = {},
): Promise<VectorTable> {
  const probe = Array.from({ length: dimensions }, () => 1)
  return useModel(pool, workspace, { name, revision: '1', languages: 'all', origin: null }, probe)
}

const DIMENSIONS = 64

/** The same words make the same vector; texts that share words are near. Words that mean the same share a letter group. */
export function vectorOf(text: string): number[] {
  const vector = Array.from({ length: DIMENSIONS }, () => 0.001)
  for (const [word] of text.toLowerCase().matchAll(/\p{L}+/gu)) {
    let hash = 7
    for (const letter of word.slice(0, 4)) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) % 9973
    const at = hash % DIMENSIONS
    vector[at] = (vector[at] ?? 0) + 1
  }
  return vector
}

/** An embedder whose answers can be held up, refused, or counted. */
export function testEmbedder(
  options: {
    model?: string
    ready?: () => Promise<'ready' | { why: string }>
    /** Where a server is; without it the model is the embedded one. */
    origin?: Embeddings
    vector?: (text: string) => number[]
    /** Models of before that can still be asked. */
    others?: Engine[]
    before?: (texts: string[], signal: AbortSignal | undefined) => Promise<void> | void
  } = {},
): Embedder & { texts: string[] } {
  const texts: string[] = []
  const embedder: Embedder & { texts: string[] } = {
    texts,
    model: {
      name: options.model ?? 'test-words',
      revision: '1',
      languages: 'all',
      origin: options.origin ?? null,
    },
    dimensions: () => DIMENSIONS,
    runtime: () => 'a test',
    ready: options.ready ?? (async () => 'ready'),
    embed: async (wanted, { signal } = {}) => {
      signal?.throwIfAborted()
      if (wanted[0] === PROBE) return [(options.vector ?? vectorOf)(PROBE)]
      await options.before?.(wanted, signal)
      texts.push(...wanted)
      return wanted.map(options.vector ?? vectorOf)
    },
    of: ({ name }) => [embedder, ...(options.others ?? [])].find((one) => one.model.name === name),
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  }
  return embedder
}

/** The audiences that name any of these scopes, whoever is in them. */
export async function audiencesNaming(pool: Db, workspace: string, scopes: string[]): Promise<number[]> {
  const { rows } = await pool.query<{ id: number }>(
    'select id from audiences where workspace = $1 and scopes && $2::text[] order by id',
    [workspace, scopes],
  )
  return rows.map((row) => row.id)
}
