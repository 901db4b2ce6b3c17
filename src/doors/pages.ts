/** Serves a directory of Markdown as readable pages, so that the demo's citations open somewhere. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { type ServerType, serve } from '@hono/node-server'
import { Hono } from 'hono'
import { html } from 'hono/html'

/** Serves the `.md` files below `dir` on 127.0.0.1; `url` has no slash at its end. */
export async function openPages(dir: string): Promise<{ url: string; close(): Promise<void> }> {
  const app = new Hono()
  app.get('/*', async (c) => {
    const file = path.resolve(dir, `.${decodeURIComponent(c.req.path)}`)
    if (!file.startsWith(dir + path.sep) || !file.endsWith('.md')) return c.notFound()
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined) return c.notFound()
    return c.html(page(path.relative(dir, file), text.replace(/^---\n[\s\S]*?\n---\n/, '')))
  })
  const server = await new Promise<ServerType>((resolve, reject) => {
    const opened: ServerType = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, () =>
      resolve(opened),
    )
    opened.once('error', reject)
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function page(name: string, text: string) {
  return html`<!doctype html><html lang="en"><meta charset="utf-8" /><title>${name}</title>
    <style>
      body { max-width: 44rem; margin: 3rem auto; padding: 0 1.5rem; font: 1rem/1.6 ui-sans-serif, system-ui; color-scheme: light dark }
      pre { white-space: pre-wrap; font: inherit }
      nav { opacity: 0.6; font-size: 0.875rem }
    </style>
    <nav>handbook / ${name}</nav><pre>${text}</pre></html>`
}
