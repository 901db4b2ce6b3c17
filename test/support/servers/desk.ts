/**
 * An MCP server on standard streams whose effects can be counted: every call of `note` or `book` appends its id
 * as one line to a file, with one write. Written without any library, so that it starts quickly.
 *   node desk.ts FILE
 * A call waits `before` milliseconds, appends, waits `after` milliseconds and answers. Its effect comes also when
 * whoever called is gone meanwhile, as with any server that has begun. It dies of the id `fatal`, once it is on record.
 */
import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

type Request = {
  id?: number | string
  method: string
  params?: { name: string; arguments: { id: string; before: number; after: number } }
}

const [file = ''] = process.argv.slice(2)
const inputSchema = {
  type: 'object',
  properties: { id: { type: 'string' }, before: { type: 'number' }, after: { type: 'number' } },
  required: ['id', 'before', 'after'],
}
const tools = ['note', 'book'].map((name) => ({ name, description: 'Puts the id on record.', inputSchema }))

process.stdout.on('error', () => {})
const send = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)

async function call(id: Request['id'], args: { id: string; before: number; after: number }): Promise<void> {
  await sleep(args.before)
  appendFileSync(file, `${args.id}\n`)
  if (args.id === 'fatal') process.exit(1)
  await sleep(args.after)
  send({ id, result: { content: [{ type: 'text', text: `${args.id} is on record.` }] } })
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line) as Request
  if (method === 'initialize') {
    const serverInfo = { name: 'desk', version: '1' }
    send({ id, result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } })
  } else if (method === 'tools/list') send({ id, result: { tools } })
  else if (method === 'tools/call' && params) void call(id, params.arguments)
  else if (id !== undefined) send({ id, error: { code: -32601, message: 'unknown method' } })
})
