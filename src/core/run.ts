/** A run is the work for one question: nothing but its steps, in order. */
import { z } from 'zod'

/** Where a conversation lives. `ts` is the timestamp of the thread's first message. */
export const Thread = z.object({ workspace: z.string(), channel: z.string(), ts: z.string() })
export type Thread = z.infer<typeof Thread>

/** A passage as a run saw it: `n` is the number the answer cites it by, unique within the run. */
export const Cited = z.object({
  n: z.int().positive(),
  passage: z.string(),
  title: z.string(),
  heading: z.string(),
  link: z.string().optional(),
  date: z.string().optional(),
  text: z.string(),
})
export type Cited = z.infer<typeof Cited>

/** A tool call as the model proposed it. `tool` is the catalogue name `server__tool`. */
export const ToolCall = z.object({ id: z.string(), tool: z.string(), args: z.unknown() })
export type ToolCall = z.infer<typeof ToolCall>

/** Tokens as the server reported them; absent where it reported nothing. */
export const Usage = z.object({
  prompt: z.int().nonnegative(),
  completion: z.int().nonnegative(),
  cached: z.int().nonnegative().optional(),
})
export type Usage = z.infer<typeof Usage>

const at = { at: z.iso.datetime() }

export const Step = z.discriminatedUnion('kind', [
  /** A person asked; always the first step. */
  z.object({ kind: z.literal('asked'), ...at, user: z.string(), text: z.string(), ts: z.string() }),
  /** A message came in while the run was active. `edit` is true when it is a new wording of the question. */
  z.object({
    kind: z.literal('steered'),
    ...at,
    user: z.string(),
    text: z.string(),
    ts: z.string(),
    edit: z.boolean().optional(),
  }),
  /** Knowledge was searched. `degraded` says in words what was not available. */
  z.object({
    kind: z.literal('recalled'),
    ...at,
    query: z.string(),
    passages: z.array(Cited),
    sources: z.int().nonnegative(),
    degraded: z.string().optional(),
    ms: z.number().nonnegative(),
  }),
  /** The model answered, completely: text, or tool calls, or both. `seen` is the last step its prompt held. */
  z.object({
    kind: z.literal('answered'),
    ...at,
    seen: z.int().nonnegative(),
    text: z.string(),
    calls: z.array(ToolCall),
    finish: z.enum(['stop', 'tool_calls', 'length']),
    model: z.string(),
    usage: Usage.optional(),
    promptHash: z.string(),
    firstTokenMs: z.number().nonnegative(),
    ms: z.number().nonnegative(),
    attempts: z.int().positive(),
  }),
  /** The runtime weighed one call of the answer before it. */
  z.object({
    kind: z.literal('proposed'),
    ...at,
    call: ToolCall,
    verdict: z.enum(['allow', 'ask', 'deny', 'invalid']),
    why: z.string(),
    /** The approval that must be claimed before the call; set where the verdict is `allow` or `ask`. */
    approval: z.string().optional(),
    approvers: z.array(z.string()).optional(),
    expires: z.iso.datetime().optional(),
    /** Hash of exactly what will be executed. */
    hash: z.string().optional(),
  }),
  /** The approval card stands in the thread. */
  z.object({ kind: z.literal('shown'), ...at, approval: z.string(), ts: z.string() }),
  /** Somebody, or the clock, decided. */
  z.object({
    kind: z.literal('decided'),
    ...at,
    approval: z.string(),
    outcome: z.enum(['approved', 'rejected', 'expired', 'void']),
    by: z.string().optional(),
    why: z.string().optional(),
  }),
  /** Written before the first byte of a tool call leaves. */
  z.object({ kind: z.literal('started'), ...at, call: z.string(), tool: z.string() }),
  /** What came back; `unknown` means the call may have run. */
  z.object({
    kind: z.literal('returned'),
    ...at,
    call: z.string(),
    outcome: z.enum(['succeeded', 'failed', 'unknown']),
    text: z.string(),
    ms: z.number().nonnegative(),
  }),
  /** Somebody asked the run to stop. */
  z.object({ kind: z.literal('stopped'), ...at, by: z.string(), why: z.string() }),
  /** The end; nothing follows. `text` is what the thread is told. */
  z.object({
    kind: z.literal('finished'),
    ...at,
    outcome: z.enum(['answered', 'stopped', 'failed', 'refused']),
    text: z.string(),
    code: z.string().optional(),
  }),
])
export type Step = z.infer<typeof Step>
export type StepKind = Step['kind']
export type StepOf<K extends StepKind> = Extract<Step, { kind: K }>

/** The n-th step of a run, counted from 1. */
export type Numbered = Step & { n: number }
