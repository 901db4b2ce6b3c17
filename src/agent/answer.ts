/** Asking the model, and weighing what it proposes. */
import { createHash, randomUUID } from 'node:crypto'
import type { CatalogueTool } from '../core/catalogue.ts'
import type { ChatAnswer, ChatMessage, ChatTool } from '../core/chat.ts'
import { Fault } from '../core/fault.ts'
import type { Agent, Policy } from '../core/home.ts'
import { judge } from '../core/policy.ts'
import { buildPrompt } from '../core/prompt.ts'
import type { Step, StepOf, ToolCall } from '../core/run.ts'
import { fitsCard } from '../slack/blocks/card.ts'
import { type Approval, createApproval } from '../store/approvals.ts'
import { asJson } from '../store/json.ts'
import { readPast } from '../store/runs.ts'
import { callHash, policyHash } from '../tools/bind.ts'
import { checkArguments } from '../tools/check.ts'
import { lastRead, record, type Work } from './lease.ts'

const TOO_LONG =
  'The arguments are too long to be shown for approval in full. Split the call into smaller ones.'
/** Calls one answer may propose. */
const MAX_CALLS = 16
/** Attempts to get one answer. */
const ATTEMPTS = 2

export type AnswerContext = {
  agent: Agent
  policy: Policy
  ask: (
    request: { messages: ChatMessage[]; tools: ChatTool[] },
    options: { signal: AbortSignal },
  ) => Promise<ChatAnswer>
  catalogue: () => Promise<CatalogueTool[]>
  log: (level: 'warn', message: string, fields?: Record<string, unknown>) => void
}

/**
 * Asks the model with all steps so far and appends its complete answer with the verdict on each call.
 * Throws the model's `Fault` when two attempts failed, the signal's reason when aborted.
 */
export async function askModel(context: AnswerContext, work: Work): Promise<'recorded' | 'lost'> {
  const seen = lastRead(work)
  const tools = offered(context.agent, await context.catalogue())
  const messages = buildPrompt({
    instructions: context.agent.instructions,
    past: await readPast(work.pool, work.run),
    steps: work.steps,
  })
  const offer = tools.map((t) => ({ name: t.name, description: t.description, parameters: t.inputSchema }))
  const { answer: raw, attempts } = await askTwice(context, work, { messages, tools: offer })
  const answer = { ...raw, calls: makeUnique(raw.calls, work) }
  const at = new Date().toISOString()
  const answered: StepOf<'answered'> = {
    kind: 'answered',
    at,
    seen,
    text: answer.text,
    calls: answer.calls,
    finish: answer.finish,
    model: answer.model,
    ...(answer.usage ? { usage: answer.usage } : {}),
    promptHash: createHash('sha256')
      .update(JSON.stringify([messages, offer]))
      .digest('hex'),
    firstTokenMs: answer.firstTokenMs,
    ms: answer.ms,
    attempts,
  }
  const weighed = answer.calls.map((call, i) => weigh(context, work, tools, { call, answer, i, at }))
  const steps: Step[] = [answered, ...weighed.map((w) => w.step)]
  const approvals = weighed.flatMap((w) => w.approval ?? [])
  if (approvals.length === 0) return record(work, steps)
  return record(work, steps, async (tx) => {
    for (const approval of approvals) await createApproval(tx, approval)
  })
}

/** Some servers number the calls of every answer from zero: within a run an id must mean one call. */
function makeUnique(calls: readonly ToolCall[], work: Work): ToolCall[] {
  const used = new Set(work.steps.flatMap((s) => (s.kind === 'proposed' ? [s.call.id] : [])))
  return calls.map((call) => {
    const id = used.has(call.id) ? randomUUID() : call.id
    used.add(id)
    // As the store keeps them: what is hashed and shown must be what is run.
    return { ...call, id, args: JSON.parse(asJson(call.args ?? {})) }
  })
}

/** The tools an agent may see: all, or those its patterns name. */
function offered(agent: Agent, catalogue: readonly CatalogueTool[]): CatalogueTool[] {
  const patterns = agent.tools?.map(
    (p) => new RegExp(`^${p.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`),
  )
  return catalogue.filter((t) => patterns === undefined || patterns.some((p) => p.test(t.name)))
}

async function askTwice(
  context: AnswerContext,
  work: Work,
  request: { messages: ChatMessage[]; tools: ChatTool[] },
): Promise<{ answer: ChatAnswer; attempts: number }> {
  for (let attempts = 1; ; attempts++) {
    try {
      return { answer: await context.ask(request, { signal: work.signal }), attempts }
    } catch (error) {
      work.signal.throwIfAborted()
      if (attempts === ATTEMPTS || !(error instanceof Fault) || !error.retry) throw error
      context.log('warn', 'the model failed once, asking again', { run: work.run.id, code: error.code })
    }
  }
}

type Weighed = { step: StepOf<'proposed'>; approval?: Omit<Approval, 'decidedBy'> }

function weigh(
  context: AnswerContext,
  work: Work,
  tools: readonly CatalogueTool[],
  proposal: { call: ToolCall; answer: ChatAnswer; i: number; at: string },
): Weighed {
  const { call, at } = proposal
  const tool = tools.find((t) => t.name === call.tool)
  const wrong = findWrong(tool, proposal)
  if (wrong || !tool) return { step: { kind: 'proposed', at, call, verdict: 'invalid', why: wrong ?? '' } }

  const judged = judge(context.policy, tool, work.run.asker)
  if (judged.verdict === 'ask' && !fitsCard(call.args)) {
    return { step: { kind: 'proposed', at, call, verdict: 'invalid', why: TOO_LONG } }
  }
  const hash = bindCall(context.policy, work.run.id, tool, call)
  if (judged.verdict === 'deny')
    return { step: { kind: 'proposed', at, call, verdict: 'deny', why: judged.why, hash } }
  const id = randomUUID()
  const expires = new Date(Date.parse(at) + judged.expiresMs).toISOString()
  return {
    step: {
      kind: 'proposed',
      at,
      call,
      verdict: judged.verdict,
      why: judged.why,
      approval: id,
      approvers: judged.approvers,
      expires,
      hash,
    },
    approval: {
      id,
      run: work.run.id,
      workspace: work.run.workspace,
      call: call.id,
      tool: tool.name,
      server: tool.server,
      args: call.args,
      hash,
      asker: work.run.asker,
      approvers: judged.approvers,
      state: judged.verdict === 'allow' ? 'allowed' : 'pending',
      expires,
    },
  }
}

/** The hash of exactly what a call would execute now. */
export function bindCall(policy: Policy, run: string, tool: CatalogueTool, call: ToolCall): string {
  return callHash({
    run,
    call: call.id,
    serverHash: tool.serverHash,
    definitionHash: tool.definitionHash,
    tool: tool.name,
    args: call.args,
    policyHash: policyHash(policy),
  })
}

/** Why a call cannot even be weighed, in words for the model; undefined where it can. */
function findWrong(
  tool: CatalogueTool | undefined,
  { call, answer, i }: { call: ToolCall; answer: ChatAnswer; i: number },
): string | undefined {
  if (answer.finish === 'length')
    return 'The answer was cut off at the output limit, so the call is incomplete.'
  if (i >= MAX_CALLS) return `At most ${MAX_CALLS} calls in one answer.`
  if (!tool) return `There is no tool named ${call.tool.slice(0, 100)}.`
  if (typeof call.args === 'string') return 'The arguments are not valid JSON.'
  const checked = checkArguments(tool.inputSchema, call.args)
  return checked.ok ? undefined : checked.why
}
