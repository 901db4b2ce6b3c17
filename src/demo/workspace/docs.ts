/** Pages of a directory of Markdown at `/docs/<path>.md`, so that the agent's sources open somewhere. */
import { readFile, realpath } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join, resolve, sep } from 'node:path'

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
const HTML = 'text/html; charset=utf-8'

/**
 * Sends the page of `path` (below `/docs/`, decoded), which draws itself in the browser, or with `raw` the text
 * it is drawn from. `/docs` alone leads to README.md. What lies outside `dir`, links included, is not there.
 */
export async function sendDocument(
  dirs: { docs: string | undefined; page: string },
  path: string,
  raw: boolean,
  response: ServerResponse,
): Promise<void> {
  if (path === '' && dirs.docs !== undefined) {
    response.writeHead(302, { location: '/docs/README.md' }).end()
    return
  }
  const text = dirs.docs === undefined ? undefined : await readDocument(dirs.docs, path)
  const status = text === undefined ? 404 : 200
  if (raw) {
    const type = 'text/markdown; charset=utf-8'
    response.writeHead(status, { 'content-type': type, ...HEADERS }).end(text ?? '')
    return
  }
  const page = await readFile(join(dirs.page, text === undefined ? 'missing.html' : 'document.html'))
  response.writeHead(status, { 'content-type': HTML, ...HEADERS }).end(page)
}

async function readDocument(dir: string, path: string): Promise<string | undefined> {
  if (!path.endsWith('.md') || path.includes('\0')) return undefined
  try {
    const root = await realpath(dir)
    const file = await realpath(resolve(root, `./${path}`))
    return file.startsWith(root + sep) && file.endsWith('.md') ? await readFile(file, 'utf8') : undefined
  } catch {
    return undefined
  }
}
