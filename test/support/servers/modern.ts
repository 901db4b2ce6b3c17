/** A well-behaved server of the present protocol, built with the library for servers. */
import { inputRequired, McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'

serveStdio(
  () => {
    const server = new McpServer({ name: 'modern', version: '1' })
    const numbers = {
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
    }
    server.registerTool('sum', numbers, ({ a, b }) => ({ content: [], structuredContent: { sum: a + b } }))
    server.registerTool('die', { inputSchema: z.object({}) }, () => process.exit(1))
    server.registerTool('ask', { inputSchema: z.object({}) }, () =>
      inputRequired({
        inputRequests: {
          sure: inputRequired.elicit({ message: 'Sure?', requestedSchema: z.object({ sure: z.boolean() }) }),
        },
      }),
    )
    return server
  },
  { legacy: 'reject' },
)
