/** A tools.lock.json of one's own, without a server. */
import { acceptTools } from '../../src/tools/accept.ts'
import { acceptInto } from '../../src/tools/pins.ts'

const text = { type: 'string' }

/** Accepts tools of one server, each given as its arguments by name, as `quorum tools accept --all` would. */
export function lockOf(server: string, tools: Record<string, string[]>): string {
  const listed = Object.entries(tools).map(([name, args]) => ({
    name,
    inputSchema: {
      type: 'object' as const,
      properties: Object.fromEntries(args.map((arg) => [arg, text])),
      additionalProperties: false,
    },
  }))
  return JSON.stringify(
    acceptInto(undefined, server, 'a'.repeat(64), acceptTools(server, 'hash', listed).tools),
  )
}
