/** A home of one's own, written from literals. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Fault } from '../../src/core/fault.ts'
import type { Home } from '../../src/core/home.ts'
import { readHome } from '../../src/home/read.ts'
import { makeTemporary } from './temporary.ts'

const AGENT = '---\nname: quorum\n---\nAnswer.\n'

/** Writes `files` (contents by path) and, unless one of them is an agent, `agents/quorum.md`. */
export async function makeHome(files: Record<string, string | Uint8Array> = {}) {
  const temporary = await makeTemporary()
  const own = Object.keys(files).some((path) => path.startsWith('agents/'))
  for (const [path, content] of Object.entries(own ? files : { 'agents/quorum.md': AGENT, ...files })) {
    await mkdir(dirname(join(temporary.dir, path)), { recursive: true })
    await writeFile(join(temporary.dir, path), content)
  }
  return temporary
}

/** Reads a home made of `files`: the home, or the lines of what is wrong with it. */
export async function tryHome(
  files: Record<string, string | Uint8Array>,
  env: Record<string, string> = {},
): Promise<{ home: Home } | { lines: string[] }> {
  await using made = await makeHome(files)
  try {
    return { home: await readHome(made.dir, env) }
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'config-invalid') throw error
    return { lines: error.message.split('\n').slice(1) }
  }
}
