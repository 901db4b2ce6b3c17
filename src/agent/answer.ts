/** Asking the model, and weighing what it proposes. */
import { createHash, randomUUID } from 'node:crypto'
import { canonical } from '../core/canonical.ts'
import type { CatalogueTool } from '../core/catalogue.ts'
import type { ChatAnswer, ChatMessage, ChatTool } from '../core/chat.ts'
import { sharesOf } from '../core/enclosed.ts'
import type { Agent } from '../core/home.ts'
import { LOOKUP } from '../core/lookup.ts'
import type { Purpose } from '../core/meter.ts'
import { type CloudPermit, permitCloud } from '../core/permit.ts'
import { offeredOutside } from '../core/policy.ts'
import { buildPrompt } from '../core/prompt.ts'
import { tellQuotes } from '../core/quotes.ts'
import { VIEW, viewer } from '../core/reading.ts'
import type { Policy } from '../core/rules.ts'
import type { Step, StepOf, ToolCall } from '../core/run.ts'
import { taintOf, taintOfPast } from '../core/taint.ts'
import type { Wait } from '../core/wait.ts'
import { fitsCard } from '../slack/blocks/card.ts'
import { createApproval } from '../store/approvals.ts'
import { asJson } from '../store/json.ts'
import { type Lane, moveToLane, type Run, readPast } from '../store/runs.ts'
import { applyGrant } from './approvals/grant.ts'
import { type Weighed, weigh, wordsOf } from './approvals/weigh.ts'
import { passagesOf } from './ending.ts'
import { lastRead, record, type Work } from './lease.ts'
import { withoutCard } from './private.ts'

/** Calls one answer may propose. */
const MAX_CALLS = 16

export type AnswerContext = {
  agent: Agent
  policy: Policy
  /** Asks the models; `quotes` where none of these can be reached and what was found had better be shown as it is. */
  ask: (
    request: { messages: ChatMessage[]; tools: ChatTool[] },
    options: AskOptions,
  ) => Promise<(ChatAnswer | { wait: Wait; quotes?: { pool: string } }) & { lane?: Lane }>
  catalogue: () => Promise<CatalogueTool[]>
  /** Tokens that the agent's model can read and write in one call, where that is known. */
  contextTokens?: (agent: Agent) => number | undefined
  /** Whether people of other organisations can read a run's answer. Never fails: true where Slack does not tell. */
  outside: (run: Run) => Promise<boolean>
}

/** Takes the text of an answer as it comes; `onRestart`: what was passed on so far does not hold any more. */
export type Hearing = { onText(delta: string): void; onRestart(): void }

/** Whose question it is and what is allowed for it. `since`: ms since 1970. */
type AskOptions = Partial<Hearing> & {
  signal: AbortSignal
  about: Purpose
  model: string | undefined
  smaller: boolean | undefined
  cloud: CloudPermit | undefined
  since: number
}

/**
 * Asks the model with all steps so far and appends its complete answer with the verdict on each call.
 * Where no model can be reached for long, the passages themselves are the answer. A wait means that nothing was asked:
 * no budget or no room just now. Throws the model's `Fault` when its attempts failed, the signal's reason when aborted.
 */
export async function askModel(
  context: AnswerContext,
  work: Work,
  hearing?: Hearing,
): Promise<'recorded' | 'lost' | { wait: Wait }> {
  const seen = lastRead(work)
  const { tools, withheld, outside } = await toolsFor(context, work.run)
  const past = await readPast(work.pool, work.run)
  const messages = buildPrompt({
    instructions: withheld > 0 ? `${context.agent.instructions}\n\n${OUTSIDE}` : context.agent.instructions,
    past,
    pastTokens: sharesOf(context.contextTokens?.(context.agent)).past,
    steps: work.steps,
  })
  const offer = [
    ...tools.map((t) => ({ name: t.name, description: t.description, parameters: t.inputSchema })),
    ...(looksUp(context.agent, tools) ? [LOOKUP] : []),
    ...(looksAround(work, tools) ? [VIEW] : []),
  ]
  const raw = await ask(context, work, { messages, tools: offer }, hearing)
  if ('wait' in raw) return raw
  const answer = { ...raw, calls: makeUnique(raw.calls, work) }
  const { attempts, ...by } = answer.served ?? { attempts: 1 }
  const at = new Date().toISOString()
  const taint = taintOf(work.steps, taintOfPast(past, work.run.asker))
  const words = wordsOf(work.steps, work.run.asker)
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
    ...('pool' in by ? { by } : {}),
    taint,
    ...(withheld > 0 ? { withheld } : {}),
    firstTokenMs: answer.firstTokenMs,
    ms: answer.ms,
    attempts,
  }
  const alone: Weighed[] = []
  for (const [i, call] of answer.calls.entries()) {
    if (call.tool === LOOKUP.name && offer.includes(LOOKUP)) continue
    if (call.tool === VIEW.name && offer.includes(VIEW)) continue
    const tool = tools.find((t) => t.name === call.tool)
    const steps = [...work.steps, ...alone.map((one) => one.step)]
    const proposal = { tool, call, at, taint, words, steps, outside, wrong: findCut(answer, i) }
    const one = await applyGrant(work.pool, work.run, weigh(context.policy, work.run, proposal))
    alone.push(work.run.reply ? withoutCard(one) : one)
  }
  const weighed = putInBatches(alone)
  const steps: Step[] = [answered, ...weighed.map((w) => w.step)]
  const approvals = weighed.flatMap((w) => w.approval ?? [])
  if (approvals.length === 0) return record(work, steps)
  return record(work, steps, async (tx) => {
    for (const approval of approvals) await createApproval(tx, approval)
  })
}

/** Calls that the same people are asked about on the same terms, and that fit one card, are decided on together. */
export function putInBatches(weighed: readonly Weighed[]): Weighed[] {
  const termsOf = ({ step, approval }: Weighed) => {
    if (step.verdict !== 'ask' || !approval) return undefined
    const { approvers, need, selfApprove, expires, remember } = approval
    return canonical([approvers, need, selfApprove, expires, remember])
  }
  const batches = new Map<string, Weighed[]>()
  for (const one of weighed) {
    const terms = termsOf(one)
    if (terms) batches.set(terms, [...(batches.get(terms) ?? []), one])
  }
  const together = [...batches].filter(
    ([, all]) => all.length > 1 && fitsCard(...all.map((one) => one.step.call.args)),
  )
  const ids = new Map(together.map(([terms]) => [terms, randomUUID()]))
  return weighed.map((one) => {
    const batch = ids.get(termsOf(one) ?? '')
    if (!batch || !one.approval) return one
    return { step: { ...one.step, batch }, approval: { ...one.approval, batch } }
  })
}

/** Some servers number the calls of every answer from zero: within a run an id must mean one call. */
function makeUnique(calls: readonly ToolCall[], work: Work): ToolCall[] {
  const used = new Set(
    work.steps.flatMap((s) =>
      s.kind === 'proposed'
        ? [s.call.id]
        : (s.kind === 'recalled' || s.kind === 'read') && s.call
          ? [s.call]
          : [],
    ),
  )
  return calls.map((call) => {
    const id = used.has(call.id) ? randomUUID() : call.id
    used.add(id)
    // As the store keeps them: what is hashed and shown must be what is run.
    return { ...call, id, args: JSON.parse(asJson(call.args ?? {})) }
  })
}

/** Said to the model where it lacks tools, so that it does not say that they do not exist. */
const OUTSIDE =
  'People of another organisation can read this channel, so some of your tools are withheld here. Where one would be needed, say that it can be asked for in a channel of your own organisation.'

/** The tools that may be used in a run's thread, and how many others there are. */
async function toolsFor(
  { agent, policy, catalogue, outside }: Pick<AnswerContext, 'agent' | 'policy' | 'catalogue' | 'outside'>,
  run: Run,
): Promise<{ tools: CatalogueTool[]; withheld: number; outside: boolean }> {
  const all = offered(agent, await catalogue())
  if (all.length === 0 || !(await outside(run))) return { tools: all, withheld: 0, outside: false }
  const where = { channel: run.channel, agent: run.agent }
  const tools = all.filter((tool) => offeredOutside(policy, tool, where))
  return { tools, withheld: all.length - tools.length, outside: true }
}

/** The tools an agent may see: all, or those its patterns name; always in the same order, for prefix caches. */
function offered(agent: Agent, catalogue: readonly CatalogueTool[]): CatalogueTool[] {
  const patterns = agent.tools?.map(
    (p) => new RegExp(`^${p.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`),
  )
  return catalogue
    .filter((t) => patterns === undefined || patterns.some((p) => p.test(t.name)))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** Whether an agent may search by itself: not one without knowledge, nor where a server has a tool of that name. */
function looksUp(agent: Agent, tools: readonly CatalogueTool[]): boolean {
  return agent.knowledge?.length !== 0 && !tools.some((tool) => tool.name === LOOKUP.name)
}

/** Whether there is something the person has open: only in what is said to us alone, so that nobody else learns of it. */
function looksAround({ run, steps }: Work, tools: readonly CatalogueTool[]): boolean {
  return run.dm && viewer(steps) !== undefined && !tools.some((tool) => tool.name === VIEW.name)
}

async function ask(
  context: AnswerContext,
  work: Work,
  request: { messages: ChatMessage[]; tools: ChatTool[] },
  hearing: Hearing | undefined,
): Promise<ChatAnswer | { wait: Wait }> {
  const { workspace, channel, thread, asker: user, agent: name, id: run, lane } = work.run
  const { model, smaller } = context.agent
  const asked = await context.ask(request, {
    signal: work.signal,
    about: { workspace, channel, thread, user, agent: name, run, lane },
    model,
    smaller,
    cloud: permitCloud(context.policy, { channel, agent: name }),
    since: sinceWhen(work),
    ...hearing,
  })
  if (asked.lane !== undefined && asked.lane !== lane) {
    await moveToLane(work.pool, run, asked.lane)
    work.run = { ...work.run, lane: asked.lane }
  }
  if (!('wait' in asked) || !asked.quotes) return asked
  const passages = passagesOf(work.steps)
  if (passages.length === 0) return asked
  const served = { pool: asked.quotes.pool, tier: 'quotes', attempts: 1 } as const
  return { text: tellQuotes(passages), calls: [], finish: 'stop', model: '', firstTokenMs: 0, ms: 0, served }
}

/** Since when this answer is waited for, in ms since 1970; what was waited for before it (a budget, a person) is over. */
function sinceWhen({ waited, steps }: Work): number {
  const begun = Date.parse((waited?.for === 'capacity' && waited.since) || '')
  return begun >= Date.parse(steps.at(-1)?.at ?? '') ? begun : Date.now()
}

/** Why a call of an answer cannot even be weighed, in words for the model; undefined where it can. */
function findCut(answer: ChatAnswer, i: number): string | undefined {
  if (answer.finish === 'length')
    return 'The answer was cut off at the output limit, so the call is incomplete.'
  return i >= MAX_CALLS ? `At most ${MAX_CALLS} calls in one answer.` : undefined
}
