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
    server.registerTool('ask', { inputSchema: z.object({}) }, (_, { mcpReq: { inputResponses } }) => {
      const given = inputResponses?.sure
      if (given !== undefined) return { content: [{ type: 'text', text: `Given: ${JSON.stringify(given)}` }] }
      const requestedSchema = z.object({ sure: z.boolean(), name: z.string().min(2), count: z.int().max(9) })
      return inputRequired({
        inputRequests: { sure: inputRequired.elicit({ message: 'Sure? <!channel>', requestedSchema }) },
        requestState: 'state-1',
      })
    })
    server.registerTool('visit', { inputSchema: z.object({}) }, (_, { mcpReq: { inputResponses } }) => {
      if (inputResponses) return { content: [{ type: 'text', text: JSON.stringify(inputResponses) }] }
      return inputRequired({
        inputRequests: {
          page: inputRequired.elicitUrl({
            message: 'Sign here',
            url: 'https://sign.example/x',
          }),
        },
      })
    })
    server.registerTool('nag', { inputSchema: z.object({}) }, () =>
      inputRequired({
        inputRequests: {
          more: inputRequired.elicit({ message: 'And?', requestedSchema: z.object({ more: z.string() }) }),
        },
      }),
    )
    server.registerTool('slow', { inputSchema: z.object({}) }, async (_, { mcpReq }) => {
      for (let progress = 1; progress <= 4; progress++) {
        await mcpReq.notify({
          method: 'notifications/progress',
          params: {
            progressToken: mcpReq._meta?.progressToken ?? 0,
            progress,
            total: 4,
            message: `page ${progress}`,
          },
        })
        await new Promise((resolve) => setTimeout(resolve, 900))
      }
      return { content: [{ type: 'text', text: 'slowly' }] }
    })
    return server
  },
  { legacy: 'reject' },
)
