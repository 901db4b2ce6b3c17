/** A well-behaved server of the present protocol, built with the library for servers. */
import { inputRequired, McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'

/** Every kind of field that a server may ask for. */
const SURVEY = {
  type: 'object' as const,
  properties: {
    tags: {
      type: 'array' as const,
      title: 'Labels',
      items: { type: 'string' as const, enum: ['a', 'b', 'c'] },
      maxItems: 2,
    },
    teams: {
      type: 'array' as const,
      items: {
        anyOf: Array.from({ length: 12 }, (_, i) => ({ const: `t${i}`, title: `Team ${i}` })),
      },
      default: ['t3', 't1'],
    },
    place: {
      type: 'string' as const,
      oneOf: [
        { const: 'eu', title: 'Europe' },
        { const: 'us', title: 'America' },
      ],
    },
    size: { type: 'string' as const, enum: ['s', 'l'], enumNames: ['Small', 'Large'] },
    day: { type: 'string' as const, format: 'date' as const },
    when: { type: 'string' as const, format: 'date-time' as const },
    mail: { type: 'string' as const, format: 'email' as const },
    page: { type: 'string' as const, format: 'uri' as const },
    count: { type: 'integer' as const, minimum: 1, maximum: 9 },
    code: { type: 'string' as const, minLength: 2, maxLength: 4, pattern: '^[A-Z]+$' },
    essay: { type: 'string' as const, default: 'x'.repeat(3001) },
  },
  required: ['tags', 'place', 'count', 'code'],
}

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
    server.registerTool('survey', { inputSchema: z.object({}) }, (_, { mcpReq: { inputResponses } }) => {
      if (inputResponses) return { content: [{ type: 'text', text: JSON.stringify(inputResponses) }] }
      return inputRequired({
        inputRequests: {
          q: { method: 'elicitation/create', params: { message: 'A few things', requestedSchema: SURVEY } },
        },
      })
    })
    server.registerTool('flood', { inputSchema: z.object({}) }, (_, { mcpReq: { inputResponses } }) => {
      if (inputResponses) return { content: [{ type: 'text', text: JSON.stringify(inputResponses) }] }
      const properties = Object.fromEntries(
        Array.from({ length: 120 }, (__, i) => [`f${i}`, { type: 'string' as const }]),
      )
      const requestedSchema = { type: 'object' as const, properties }
      return inputRequired({
        inputRequests: {
          q: { method: 'elicitation/create', params: { message: 'All of it', requestedSchema } },
        },
      })
    })
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
