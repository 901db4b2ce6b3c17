/**
 * policy.yaml: for each server and tool pattern, what a tool does, who may decide about a call, and how far it may go.
 * Only the schema; `policy.ts` judges by it.
 */
import { z } from 'zod'
import { shaped } from './shaped.ts'

/** `server__tool`, where `*` stands for any characters. */
export const pattern = shaped(/^[A-Za-z0-9_.*-]{1,128}$/, 'a tool or a pattern such as filesystem__read*')

/**
 * What a tool does to the world. `read`: it only looks. `egress_read`: it looks at an address, or asks
 * somebody outside, that the model chooses, and so can carry data out. `write`: anything else.
 */
export const Effect = z.enum(['read', 'egress_read', 'write'])
export type Effect = z.infer<typeof Effect>

/** Whose words a tool returns: `trusted` only where nobody outside can write into them. */
export const Output = z.enum(['trusted', 'untrusted'])
export type Output = z.infer<typeof Output>

const duration = shaped(/^\d{1,6}[smhd]$/, 'a time such as 30m, 8h or 2d')
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const LONGEST_MS = 30 * UNIT_MS.d

/** A time such as `30m` in milliseconds, a month at most. */
export function lifetime(time: string): number {
  const unit = UNIT_MS[time.slice(-1) as keyof typeof UNIT_MS]
  return Math.min(Number.parseInt(time, 10) * unit, LONGEST_MS)
}

/** A Slack user, a Slack user group, or whoever asked. */
const approver = shaped(
  /^(requester|[UW][A-Z0-9]+|S[A-Z0-9]+)$/,
  'a Slack user id, a user group id (S…), or requester',
)

/** A host name, `*.example.com` for every name below it. */
const host = shaped(
  /^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:\d{1,5})?$/,
  'a host such as api.example.com or *.example.com',
)

const scalar = z.union([z.string(), z.number(), z.boolean()])

/** What one argument must be for a rule to speak: a value, one of several, or a range or shape. */
export const Condition = z.union([
  scalar,
  z.array(scalar).min(1, 'at least one value'),
  z
    .strictObject({
      /** `*` stands for any characters. */
      like: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
      not: z.union([scalar, z.array(scalar).min(1)]).optional(),
      /** Numbers, both ends included. */
      min: z.number().optional(),
      max: z.number().optional(),
      /** The host of an address. */
      host: z.array(host).min(1).optional(),
      /** Whether the argument is there at all. */
      given: z.boolean().optional(),
    })
    .refine((one) => Object.keys(one).length > 0, 'a condition such as { max: 100 }'),
])
export type Condition = z.infer<typeof Condition>

export const Rule = z.strictObject({
  effect: Effect.optional(),
  output: Output.optional(),
  /** What happens to a call; a rule without one says nothing about it. */
  decision: z.enum(['allow', 'ask', 'deny']).optional(),
  approvers: z.array(approver).min(1, 'at least one approver').optional(),
  /** How many different people must approve. */
  need: z.int().min(1).max(5).optional(),
  /** Whether whoever asked may be one of them. */
  self_approve: z.boolean().optional(),
  /** Whether it is used where people of other organisations can read; where no rule allows it, it is withheld there. */
  connect: z.enum(['allow', 'deny']).optional(),
  /** How long an approval may wait, as `30m`, `8h`, `2d`. */
  expires: duration.optional(),
  /** An approval also holds for the same call again: the exact arguments, in the thread or for the person, so long. */
  remember: z.strictObject({ scope: z.enum(['thread', 'user']), ttl: duration }).optional(),
  /** The rule speaks only of calls whose arguments are so; `a.b` names a member of a member. */
  when: z.record(z.string().min(1), Condition).optional(),
  /**
   * A tainted run need not ask where these arguments stand literally in the requester's own message;
   * `literal` means those that the accepted definition marks as sensitive.
   */
  excuse: z.union([z.literal('literal'), z.array(z.string().min(1)).min(1)]).optional(),
  /** Hosts the server may be reached at, and addresses in its arguments may name; all others are refused. */
  egress: z.array(host).min(1).optional(),
  /** Names of environment variables its process may see at most. */
  env: z.array(shaped(/^[A-Za-z_][A-Za-z0-9_]*$/, 'the name of an environment variable')).optional(),
  limits: z
    .strictObject({
      /** How long a call may be silent. */
      timeout: duration.optional(),
      /** Largest result that is read, in bytes. */
      result_bytes: z.int().min(1).optional(),
      /** How many tools of the server are taken at most. */
      tools: z.int().min(1).optional(),
      /** Calls of one run at most. */
      calls: z.int().min(1).optional(),
      /** Calls at once. */
      at_once: z.int().min(1).max(64).optional(),
    })
    .optional(),
})
export type Rule = z.infer<typeof Rule>

/** One rule for a pattern, or several with different conditions. */
const Rules = z
  .record(
    pattern,
    z
      .union([Rule, z.array(Rule).min(1, 'at least one rule')])
      .transform((rules) => (Array.isArray(rules) ? rules : [rules])),
  )
  .default({})
export type Rules = z.infer<typeof Rules>

/** `local`: nothing that is said here reaches a cloud model. */
const models = z.enum(['local', 'any']).optional()

/** The most restrictive match wins; order does not matter. Layers only tighten. */
export const PolicyFile = z.strictObject({
  /** Who is told when tools change, and may raise what only they may: users or user groups. */
  admins: z
    .array(shaped(/^([UW][A-Z0-9]+|S[A-Z0-9]+)$/, 'a Slack user id or a user group id (S…)'))
    .default([]),
  /** Which models may be asked; `channels` and `agents` can only tighten it. */
  models,
  tools: Rules,
  /** Further rules for calls asked for in one channel. */
  channels: z
    .record(
      shaped(/^[CGD][A-Z0-9]+$/, 'a Slack channel id'),
      z.strictObject({
        models,
        /** Who may change the channel's settings in Slack, beside the admins: users or user groups. */
        managers: z
          .array(shaped(/^([UW][A-Z0-9]+|S[A-Z0-9]+)$/, 'a Slack user id or a user group id (S…)'))
          .optional(),
        tools: Rules,
      }),
    )
    .default({}),
  /** Further rules for the calls of one agent. */
  agents: z.record(z.string(), z.strictObject({ models, tools: Rules })).default({}),
})
export type Policy = z.infer<typeof PolicyFile>
