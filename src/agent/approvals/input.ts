/** What a tool server wants to know in the middle of a call: asked in the thread, answered in a modal, kept as steps. */
import type { ModalView } from '@slack/types'
import type { InputRequest } from '../../core/catalogue.ts'
import { answerEnds, callState } from '../../core/decide.ts'
import type { HeardOf } from '../../core/heard.ts'
import type { Numbered, StepOf, ToolCall } from '../../core/run.ts'
import { argumentsOf, blockOf, type Form, formOf } from '../../slack/blocks/edit.ts'
import { answerView, type InputCard, inputMessage } from '../../slack/blocks/input.ts'
import type { Viewer } from '../../slack/listen.ts'
import { readApproval } from '../../store/approvals.ts'
import { appendFromOutside, lockRun, type Run, readRun, readSteps } from '../../store/runs.ts'
import type { Db, Tx } from '../../store/transaction.ts'
import { checkArguments } from '../../tools/check.ts'
import type { Resume } from '../../tools/input.ts'
import { findSaid, sayForSure } from '../say.ts'
import type { CardsContext } from './cards.ts'

type Proposed = StepOf<'proposed'>
type Requests = Record<string, InputRequest>

/** Times a server may ask in one call. */
export const MOST_ROUNDS = 5

/** What a call goes on with, where its server asked and was answered. */
export function resumeOf(steps: readonly Numbered[], call: ToolCall): Resume | undefined {
  const asked = questionsOf(steps, call).at(-1)
  const proposed = steps.find((s) => s.kind === 'proposed' && s.call.id === call.id)
  if (!asked || proposed?.kind !== 'proposed') return undefined
  const given = steps.findLast(
    (s) => s.kind === 'decided' && s.approval === proposed.approval && s.n > asked.n && s.input !== undefined,
  )
  if (given?.kind !== 'decided' || !given.input) return undefined
  return { responses: given.input, state: asked.input?.state }
}

/** How often the server of a call has asked. */
export function roundsOf(steps: readonly Numbered[], call: ToolCall): number {
  return questionsOf(steps, call).length
}

function questionsOf(steps: readonly Numbered[], call: ToolCall) {
  return steps.flatMap((s) =>
    s.kind === 'returned' && s.call === call.id && s.outcome === 'input' ? [s] : [],
  )
}

/** Posts what a server wants to know, and gives the message's ts. */
export async function postInput(
  context: CardsContext,
  run: Run,
  steps: readonly Numbered[],
  proposed: Proposed,
): Promise<{ ts: string }> {
  return sayForSure(context, inputSaying(run, steps, proposed))
}

/** Brings the message to what became of the question. */
export async function refreshInput(
  context: CardsContext,
  run: Run,
  steps: readonly Numbered[],
  proposed: Proposed,
): Promise<void> {
  const saying = inputSaying(run, steps, proposed)
  const ts = await findSaid(context, saying)
  if (ts) await context.speak.update(run.channel, ts, saying.message)
}

/** Where the newest question of a call stands; undefined where its server never asked. */
export function inputState(steps: readonly Numbered[], proposed: Proposed): InputCard['state'] | undefined {
  const asked = questionsOf(steps, proposed.call).at(-1)
  if (!asked) return undefined
  const said = steps.findLast(
    (s) => s.kind === 'decided' && s.approval === proposed.approval && s.n > asked.n,
  )
  if (said?.kind === 'decided' && /^(given|declined|expired)$/.test(said.outcome))
    return said.outcome as 'given' | 'declined' | 'expired'
  return callState(steps, proposed) === 'input' ? 'open' : 'void'
}

function inputSaying(run: Run, steps: readonly Numbered[], proposed: Proposed) {
  const requests = Object.values(requestsOf(steps, proposed.call))
  const round = roundsOf(steps, proposed.call)
  const message = inputMessage({
    approval: proposed.approval ?? '',
    run: run.id,
    round,
    tool: proposed.call.tool,
    asker: run.asker,
    messages: requests.map(({ message: said }) => said),
    urls: requests.flatMap((one) => (one.mode === 'url' ? [one.url] : [])),
    until: answerEnds(steps, proposed.call) ?? '',
    state: inputState(steps, proposed) ?? 'void',
  })
  const part = `input-${proposed.approval}-${round}`
  return { owner: run.id, part, channel: run.channel, thread: run.thread, message }
}

function requestsOf(steps: readonly Numbered[], call: ToolCall): Requests {
  return (questionsOf(steps, call).at(-1)?.input?.requests ?? {}) as Requests
}

const NOT_YOURS = 'This is for whoever asked to answer, so nothing was changed.'
const OVER = 'This is not waited for any more, so nothing was changed.'

type Asked = { run: Run; steps: Numbered[]; proposed: Proposed; requests: Requests }

/** The question that waits, for whoever may answer it; else a sentence. */
async function readAsked(
  db: Db,
  run: Run | undefined,
  approval: string,
  user: string,
): Promise<Asked | string> {
  if (!run?.active) return OVER
  if (run.asker !== user) return NOT_YOURS
  const steps = await readSteps(db, run.id)
  const proposed = steps.find((s) => s.kind === 'proposed' && s.approval === approval)
  if (proposed?.kind !== 'proposed' || callState(steps, proposed) !== 'input') return OVER
  return { run, steps, proposed, requests: requestsOf(steps, proposed.call) }
}

async function runOf(db: Db, approval: string, at: { workspace: string; channel: string }) {
  const found = /^[0-9a-f-]{36}$/.test(approval) ? await readApproval(db, approval) : undefined
  const run = found && (await readRun(db, found.run))
  return run?.workspace === at.workspace && run.channel === at.channel ? run : undefined
}

/** The modal to answer in, or a sentence. */
export async function openAnswer(db: Db, approval: string, viewer: Viewer): Promise<ModalView | string> {
  const asked = await readAsked(db, await runOf(db, approval, viewer), approval, viewer.user)
  if (typeof asked === 'string') return asked
  const all = Object.values(asked.requests)
  const card = {
    tool: asked.proposed.call.tool,
    messages: all.map(({ message }) => message),
    urls: all.flatMap((one) => (one.mode === 'url' ? [one.url] : [])),
  }
  const { channel, thread } = viewer
  return answerView(card, formFor(asked.requests), { approval, channel, thread })
}

/** What is wrong with an answer, by block; undefined where it can be taken, or the story says what became of it. */
export async function checkAnswer(
  db: Db,
  heard: HeardOf<'submitted'>,
): Promise<Record<string, string> | undefined> {
  const asked = await readAsked(db, await runOf(db, heard.approval, heard), heard.approval, heard.user)
  if (typeof asked === 'string') return undefined
  const read = responsesOf(asked.requests, heard.values)
  return 'errors' in read ? read.errors : undefined
}

/** Takes an answer: the call goes on with it. The private sentence where it does not count. */
export async function takeAnswer(tx: Tx, heard: HeardOf<'submitted'>): Promise<string | undefined> {
  const asked = await lockAsked(tx, heard)
  if (typeof asked === 'string') return asked
  const read = responsesOf(asked.requests, heard.values)
  if ('errors' in read) return `Your answer was not taken: ${Object.values(read.errors).join(' ')}`
  return append(tx, asked, heard, 'given', read.responses)
}

/** The person does not want to answer: the server is told so. */
export async function declineAnswer(tx: Tx, heard: HeardOf<'clicked'>): Promise<string | undefined> {
  const asked = await lockAsked(tx, heard)
  if (typeof asked === 'string') return asked
  const responses = Object.fromEntries(Object.keys(asked.requests).map((key) => [key, { action: 'decline' }]))
  return append(tx, asked, heard, 'declined', responses)
}

async function lockAsked(
  tx: Tx,
  heard: { approval: string; workspace: string; channel: string; user: string },
): Promise<Asked | string> {
  const found = await runOf(tx, heard.approval, heard)
  return readAsked(tx, found && (await lockRun(tx, found.id)), heard.approval, heard.user)
}

async function append(
  tx: Tx,
  { run, proposed }: Asked,
  { user }: { user: string },
  outcome: 'given' | 'declined',
  input: Record<string, unknown>,
): Promise<undefined> {
  const at = new Date().toISOString()
  const approval = proposed.approval ?? ''
  await appendFromOutside(tx, run, { kind: 'decided', at, approval, outcome, by: user, input })
}

/** All forms of a question as one; undefined where there is nothing to fill in. */
function formFor(requests: Requests): Form | undefined {
  const schema = schemaOf(requests)
  if (Object.keys(schema.properties).length === 0) return undefined
  const defaults = Object.entries(schema.properties).flatMap(([name, one]) => {
    const value = Object(one).default
    return value === undefined ? [] : [[name, value]]
  })
  return formOf(schema, Object.fromEntries(defaults))
}

const SEPARATOR = ' / '

/** The fields of all forms side by side, each named by its question where there are several. */
function schemaOf(requests: Requests) {
  const forms = formsOf(requests)
  const named = (key: string, name: string) => (forms.length > 1 ? `${key}${SEPARATOR}${name}` : name)
  const properties: Record<string, unknown> = {}
  const required: string[] = []
  for (const [key, { schema }] of forms) {
    for (const [name, one] of Object.entries(Object(schema.properties))) properties[named(key, name)] = one
    if (Array.isArray(schema.required))
      required.push(...schema.required.map((name) => named(key, String(name))))
  }
  return { type: 'object', properties, required }
}

function formsOf(requests: Requests) {
  return Object.entries(requests).flatMap(([key, one]) => (one.mode === 'form' ? [[key, one] as const] : []))
}

/** What is sent back to the server, checked against what it asked for; or what is wrong, by block. */
function responsesOf(
  requests: Requests,
  values: Record<string, unknown>,
): { responses: Record<string, unknown> } | { errors: Record<string, string> } {
  const form = formFor(requests)
  const read = form ? argumentsOf(form, values) : { args: {} }
  if ('errors' in read) return read
  const forms = formsOf(requests)
  const responses: Record<string, unknown> = {}
  for (const [key, request] of Object.entries(requests)) {
    if (request.mode === 'url') {
      responses[key] = { action: 'accept' }
      continue
    }
    const prefix = forms.length > 1 ? `${key}${SEPARATOR}` : ''
    const content = Object.fromEntries(
      Object.entries(read.args).flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
      ),
    )
    const checked = checkArguments(request.schema, content)
    if (!checked.ok) return { errors: { [(form && blockOf(form, checked.why)) ?? '']: checked.why } }
    responses[key] = { action: 'accept', content }
  }
  return { responses }
}
