/** tools.lock.json: the tool definitions that a person has accepted, so that nothing else is offered or called. */
import { z } from 'zod'
import { Effect } from './rules.ts'

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 hash in hex')

/** A tool's definition as its server sent it, without what takes no part in its meaning. */
export const Definition = z.strictObject({
  title: z.string().optional(),
  description: z.string().optional(),
  inputSchema: z.record(z.string(), z.unknown()),
  outputSchema: z.record(z.string(), z.unknown()).optional(),
  annotations: z.record(z.string(), z.unknown()).optional(),
})
export type Definition = z.infer<typeof Definition>

/** One accepted tool. `effect` and `sensitive` were proposed from the definition and accepted with it; policy can tighten them. */
export const Pin = z.strictObject({
  /** Hash of the whole definition, as `definitionHash` makes it. */
  hash,
  effect: Effect,
  /** Arguments that decide who is reached, what is said, or what is changed. */
  sensitive: z.array(z.string()).default([]),
  definition: Definition,
})
export type Pin = z.infer<typeof Pin>

export const LockFile = z.strictObject({
  version: z.literal(1),
  servers: z.record(
    z.string(),
    z.strictObject({
      /** Hash of the server's entry in mcp.json. */
      config: hash,
      /** By the name the server gives. */
      tools: z.record(z.string(), Pin),
    }),
  ),
})
export type Lock = z.infer<typeof LockFile>
