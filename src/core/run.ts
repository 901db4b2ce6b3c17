/** A run is the work for one question: nothing but its steps, in order. */
import { z } from 'zod'
import { Enclosed, ReadFile, Said } from './enclosed.ts'
import { Effect } from './rules.ts'
import { Narrowing } from './settings.ts'
import { Taint } from './taint.ts'

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
  source: z.string().optional(),
  /** Of the document, within its source. By it what was made of a conversation is found when somebody is forgotten. */
  path: z.string().optional(),
  /** What stands right before and behind it, of the passages that stand there. */
  around: z
    .array(z.object({ passage: z.string(), side: z.enum(['before', 'after']), text: z.string() }))
    .optional(),
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

/** What served an answer. Two runs with the same of these and the same prompt were asked the same. */
export const ServedBy = z.object({
  pool: z.string(),
  /** `quotes`: no model, only passages. */
  tier: z.enum(['local', 'cloud', 'quotes']),
  /** In place of the agent's own pool: another local one, a smaller model, a cloud model. */
  instead: z.enum(['local', 'smaller', 'cloud']).optional(),
  /** The revision of the weights, where models.yaml names it. */
  revision: z.string().optional(),
  settings: z
    .object({
      maxTokens: z.int().optional(),
      temperature: z.number().optional(),
      topP: z.number().optional(),
      seed: z.int().optional(),
    })
    .optional(),
})
export type ServedBy = z.infer<typeof ServedBy>

const at = { at: z.iso.datetime() }

const Lists = z.union([z.array(z.array(z.string())), z.array(z.string()).transform((list) => [list])])

export const Step = z.discriminatedUnion('kind', [
  /** A person asked; always the first step. `call`: they asked for exactly this call, and no model takes part. */
  z.object({
    kind: z.literal('asked'),
    ...at,
    user: z.string(),
    text: z.string(),
    ts: z.string(),
    call: ToolCall.optional(),
    /** The prompt of a tool server that made the text, which is then not the person's own word. */
    prompt: z.string().optional(),
    /** How little of the work its person wants to see; all of it where it is left out. */
    show: z.enum(['line', 'none']).optional(),
    /** The language (ISO 639-1) its person wants answers in; that of the question where it is left out. */
    language: z.string().optional(),
    /** What was settled for its channel when it was asked. */
    narrowing: Narrowing.optional(),
    /** It was asked in a thread that we had no part in: what was said there before is read first. */
    before: z.boolean().optional(),
    ...Enclosed.shape,
  }),
  /** A message came in while the run was active. `edit` is true when it is a new wording of the question. */
  z.object({
    kind: z.literal('steered'),
    ...at,
    user: z.string(),
    text: z.string(),
    ts: z.string(),
    edit: z.boolean().optional(),
    ...Enclosed.shape,
  }),
  /**
   * What came with step `of` was read: what was said in the thread before it (`said`, without the `left` messages
   * that were too many), and files. With `call` the model wished to see what the person has open. `lack` says in
   * words what could not be read.
   */
  z.object({
    kind: z.literal('read'),
    ...at,
    of: z.int().positive(),
    call: z.string().optional(),
    said: z.array(Said).optional(),
    left: z.int().nonnegative().optional(),
    files: z.array(ReadFile),
    lack: z.string().optional(),
    ms: z.number().nonnegative(),
  }),
  /** Knowledge was searched; by the model's own wish where `call` is set. `degraded` says in words what was not available. */
  z.object({
    kind: z.literal('recalled'),
    ...at,
    call: z.string().optional(),
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
    /** Of everything that was sent: messages and tools. */
    promptHash: z.string(),
    by: ServedBy.optional(),
    /** What the prompt held that others wrote. */
    taint: z.array(Taint).optional(),
    /** How many tools were not offered, because people of other organisations can read the answer. */
    withheld: z.int().positive().optional(),
    firstTokenMs: z.number().nonnegative(),
    ms: z.number().nonnegative(),
    attempts: z.int().positive(),
  }),
  /** The runtime weighed one call: of the answer before it, of a person's edit, or one to be run again. */
  z.object({
    kind: z.literal('proposed'),
    ...at,
    call: ToolCall,
    /** What its server calls the tool, where that is not its name. */
    title: z.string().optional(),
    verdict: z.enum(['allow', 'ask', 'deny', 'invalid']),
    why: z.string(),
    /** The approval that must be claimed before the call; set where the verdict is `allow` or `ask`. */
    approval: z.string().optional(),
    /** Whoever approves must stand in each of these lists. Earlier versions wrote one list. */
    approvers: Lists.optional(),
    need: z.int().positive().optional(),
    selfApprove: z.boolean().optional(),
    expires: z.iso.datetime().optional(),
    /** Hash of exactly what will be executed. */
    hash: z.string().optional(),
    effect: Effect.optional(),
    /** What the call could do and why it is asked about, in words for people. */
    risk: z.string().optional(),
    /** Calls with the same batch stand on one card. */
    batch: z.string().optional(),
    /** The call id this one takes the place of: edited by a person, or run again after an unknown outcome. */
    replaces: z.string().optional(),
    /** Who edited the arguments. */
    editedBy: z.string().optional(),
    /** How often this was tried, from 1, and what came of the time before. */
    attempt: z.int().positive().optional(),
    previous: z.string().optional(),
    /** Who approved these exact arguments before, where that still holds. */
    remembered: z.string().optional(),
  }),
  /** The approval card stands in the thread. */
  z.object({ kind: z.literal('shown'), ...at, approval: z.string(), ts: z.string() }),
  /**
   * Somebody, or the clock, decided. `counted`: one of several needed approvals. `edited`: another proposal took its
   * place. `done`, `not-done`, `again`: what a person says of a call whose outcome is unknown. `given`, `declined`:
   * an answer to what a tool server wanted to know.
   */
  z.object({
    kind: z.literal('decided'),
    ...at,
    approval: z.string(),
    outcome: z.enum([
      'approved',
      'rejected',
      'expired',
      'void',
      'counted',
      'edited',
      'done',
      'not-done',
      'again',
      'given',
      'declined',
    ]),
    /** What was given, by the keys of the requests. */
    input: z.record(z.string(), z.unknown()).optional(),
    by: z.string().optional(),
    why: z.string().optional(),
  }),
  /** Written before the first byte of a tool call leaves. */
  z.object({ kind: z.literal('started'), ...at, call: z.string(), tool: z.string() }),
  /** What came back; `unknown` means the call may have run, `input` that the server wants to know something first. */
  z.object({
    kind: z.literal('returned'),
    ...at,
    call: z.string(),
    outcome: z.enum(['succeeded', 'failed', 'unknown', 'input']),
    text: z.string(),
    input: z.object({ requests: z.record(z.string(), z.unknown()), state: z.string().optional() }).optional(),
    /** What the server asked while the call was open; it was told that nobody answers. */
    asked: z.string().optional(),
    /** Whether nobody outside can have written into the text. */
    trusted: z.boolean().optional(),
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
