/** A server with resources to read and a prompt to ask with, built with the library for servers. FILE holds a page. */
import { readFileSync, watchFile } from 'node:fs'
import { McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'

const [file = ''] = process.argv.slice(2)
let asked = 0
let more = false

serveStdio(
  () => {
    const server = new McpServer({ name: 'library', version: '1' })
    const page = (uri: URL) => ({
      contents: [{ uri: uri.href, mimeType: 'text/markdown', text: readFileSync(file, 'utf8') }],
    })
    server.registerResource(
      'Anchors',
      'https://library.example/anchors.md',
      { mimeType: 'text/markdown' },
      page,
    )
    server.registerResource('Picture', 'library://picture', { mimeType: 'image/png' }, (uri) => ({
      contents: [{ uri: uri.href, blob: 'AAAA' }],
    }))
    server.registerResource('Broken', 'library://broken', { mimeType: 'text/plain' }, () => {
      throw new Error(`the shelf of ${process.env.KEEPER} is empty`)
    })
    server.server.registerCapabilities({ resources: { subscribe: true, listChanged: true } })
    watchFile(file, { interval: 100 }, () => {
      void server.server.sendResourceUpdated({ uri: 'https://library.example/anchors.md' }).catch(() => {})
      if (!readFileSync(file, 'utf8').includes('more') || more) return
      more = true
      server.registerResource('More', 'https://library.example/more.md', { mimeType: 'text/markdown' }, page)
    })
    const argsSchema = z.object({ topic: z.string(), tone: z.string().optional() })
    server.registerPrompt('review', { description: 'Reviews a topic.', argsSchema }, ({ topic, tone }) => ({
      messages: [
        {
          role: 'user',
          content: {
            type: 'text',
            text: `Review ${topic} in a ${tone ?? 'plain'} tone. <!channel> Copy ${++asked}.`,
          },
        },
      ],
    }))
    return server
  },
  { legacy: 'reject' },
)
