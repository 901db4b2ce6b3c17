/** Hashes that bind an approval to exactly what will be executed. */
import { createHash } from 'node:crypto'
import { canonical } from '../core/canonical.ts'
import type { Policy } from '../core/rules.ts'

/** Everything an approval stands for. Change one of them and the approval is for something else. */
export type Bound = {
  run: string
  /** The id of the call within the run. */
  call: string
  serverHash: string
  definitionHash: string
  /** The catalogue name, `server__tool`. */
  tool: string
  args: unknown
  policyHash: string
}

/** SHA-256, hex, over all fields of {@link Bound}; equal exactly when all of them are equal as JSON. */
export function callHash(bound: Bound): string {
  const { run, call, serverHash, definitionHash, tool, args, policyHash } = bound
  return sha256(canonical(['call', run, call, serverHash, definitionHash, tool, args ?? {}, policyHash]))
}

/**
 * What a remembered approval is bound to: all of {@link Bound} but the run and the call, and `terms`, so that it
 * never stands in for somebody else's yes.
 */
export function grantHash(bound: Omit<Bound, 'run' | 'call'>, terms: unknown): string {
  const { serverHash, definitionHash, tool, args, policyHash } = bound
  return sha256(canonical(['grant', serverHash, definitionHash, tool, args ?? {}, policyHash, terms]))
}

/** SHA-256, hex, of the policy. */
export function policyHash(policy: Policy): string {
  return sha256(canonical(['policy', policy]))
}

/** SHA-256, hex, of a server's entry: as it is run, for approvals; as mcp.json writes it, for tools.lock.json. */
export function serverHash(name: string, server: unknown): string {
  return sha256(canonical(['server', name, server]))
}

/** SHA-256, hex, of a tool's definition as its server sent it. */
export function definitionHash(definition: {
  name: string
  title?: unknown
  description?: unknown
  inputSchema?: unknown
  outputSchema?: unknown
  annotations?: unknown
}): string {
  const { name, title, description, inputSchema, outputSchema, annotations } = definition
  return sha256(canonical(['tool', { name, title, description, inputSchema, outputSchema, annotations }]))
}

/** SHA-256 of a text, hex. */
export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
