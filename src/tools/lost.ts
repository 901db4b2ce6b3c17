/**
 * Answers that will not come. A transport that knows so delivers an error in place of the answer, instead of
 * leaving the call to its timeout.
 */
import { type JSONRPCMessage, ProtocolError } from '@modelcontextprotocol/client'

/** `oversized`: it was larger than the cap and thrown away. `dropped`: the connection ended without it. */
export type Lost = 'oversized' | 'dropped'

/** An error in place of the answer to request `id`. */
export function lostAnswer(id: number, lost: Lost): JSONRPCMessage {
  return { jsonrpc: '2.0', id, error: { code: -32_099, message: `The answer was ${lost}.`, data: { lost } } }
}

/** What became of the answer, where an error stands for a lost one. */
export function lostWhy(error: unknown): Lost | undefined {
  if (error instanceof OversizedError) return 'oversized'
  if (!(error instanceof ProtocolError) || error.code !== -32_099) return undefined
  return (error.data as { lost?: Lost } | undefined)?.lost === 'oversized' ? 'oversized' : 'dropped'
}

/** Breaks off an HTTP body that is larger than the cap. */
export class OversizedError extends Error {}
