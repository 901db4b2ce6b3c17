/** A directory of one's own that is gone afterwards. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** Close with `await using`, or call `remove`. */
export async function makeTemporary(): Promise<AsyncDisposable & { dir: string; remove(): Promise<void> }> {
  const dir = await mkdtemp(path.join(tmpdir(), 'quorum-test-'))
  const remove = () => rm(dir, { recursive: true, force: true })
  return { dir, remove, [Symbol.asyncDispose]: remove }
}
