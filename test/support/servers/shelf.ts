/**
 * An MCP server of the older protocol on standard streams, with two resources. Whoever subscribes to one is told of it
 * at once; the text of each says which were subscribed to. Written without any library, so that it starts quickly.
 */
import { createInterface } from 'node:readline'

type Request = { id?: number | string; method: string; params?: { uri: string } }

const subscribed: string[] = []
const send = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)

function answer(method: string, uri: string): object | undefined {
  if (method === 'initialize')
    return {
      protocolVersion: '2025-06-18',
      capabilities: { resources: { subscribe: true } },
      serverInfo: { name: 'shelf', version: '1' },
    }
  if (method === 'resources/list')
    return { resources: ['a', 'b'].map((name) => ({ uri: `shelf://${name}`, name })) }
  if (method === 'resources/read') return { contents: [{ uri, text: subscribed.join(' ') }] }
  if (method !== 'resources/subscribe') return undefined
  subscribed.push(uri)
  return {}
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params = { uri: '' } } = JSON.parse(line) as Request
  if (id === undefined) return
  const result = answer(method, params.uri)
  send(result ? { id, result } : { id, error: { code: -32601, message: 'Method not found' } })
  if (method === 'resources/subscribe') send({ method: 'notifications/resources/updated', params })
})
