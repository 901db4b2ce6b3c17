/** What a tool server wants to know in the middle of a call: asked in the thread, answered in a modal, kept as steps. */
import type { ModalView } from '@slack/types'
import type { InputRequest } from '../../core/catalogue.ts'
import { answerEnds, callState } from '../../core/decide.ts'
import type { HeardOf } from '../../core/heard.ts'
import type { Numbered, StepOf, ToolCall } from '../../core/run.ts'
import { argumentsOf, errorsAt, type Form, formOf, MOST_FIELDS } from '../../slack/blocks/form.ts'
import { answerView, type InputCard, inputMessage } from '../../slack/blocks/input.ts'
import type { Viewer } from '../../slack/opening.ts'
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
  if (ts) await context.speak.update(run.channel, ts, saying.message, { priority: 'approval' })
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

/** Questions of servers that wait in a run: of which tool, until when, and the part of the message that asks. */
export function openQuestions(steps: readonly Numbered[]): { tool: string; until: string; part: string }[] {
  return steps.flatMap((step) =>
    step.kind === 'proposed' && callState(steps, step) === 'input'
      ? [{ tool: step.call.tool, until: answerEnds(steps, step.call) ?? '', part: partOf(steps, step) }]
      : [],
  )
}

function partOf(steps: readonly Numbered[], { approval, call }: Proposed): string {
  return `input-${approval}-${roundsOf(steps, call)}`
}

/** What a server wants to know, to be said in the thread. */
export function inputSaying(run: Run, steps: readonly Numbered[], proposed: Proposed) {
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
  const part = partOf(steps, proposed)
  const place = { channel: run.channel, thread: run.thread }
  return { owner: run.id, part, ...place, message, priority: 'approval' as const }
}

function requestsOf(steps: readonly Numbered[], call: ToolCall): Requests {
  return (questionsOf(steps, call).at(-1)?.input?.requests ?? {}) as Requests
}

const NOT_YOURS = 'This is for whoever asked to answer, so nothing was changed.'
const TOO_LARGE =
  'It asks for more than a form in Slack holds, so it cannot be answered here. Press Decline to go on without.'
const OVER = 'This is not waited for any more, so nothing was changed.'

type Asked = { run: Run; steps: Numbered[]; proposed: Proposed; requests: Requests }

/** The question that waits, for whoever may answer it; else a sentence. */
async function readAsked(
  db: Db,
  run: Run | undefined,
  { approval, user, round }: { approval: string; user: string; round?: number | undefined },
): Promise<Asked | string> {
  if (!run?.active) return OVER
  if (run.asker !== user) return NOT_YOURS
  const steps = await readSteps(db, run.id)
  const proposed = steps.find((s) => s.kind === 'proposed' && s.approval === approval)
  if (proposed?.kind !== 'proposed' || callState(steps, proposed) !== 'input') return OVER
  // What was filled in for one question is no answer to the next one.
  if (round !== undefined && round !== roundsOf(steps, proposed.call)) return OVER
  return { run, steps, proposed, requests: requestsOf(steps, proposed.call) }
}

async function runOf(db: Db, approval: string, at: { workspace: string; channel: string }) {
  const found = /^[0-9a-f-]{36}$/.test(approval) ? await readApproval(db, approval) : undefined
  const run = found && (await readRun(db, found.run))
  return run?.workspace === at.workspace && run.channel === at.channel ? run : undefined
}

/** The modal to answer in, or a sentence. */
export async function openAnswer(db: Db, approval: string, viewer: Viewer): Promise<ModalView | string> {
  const asked = await readAsked(db, await runOf(db, approval, viewer), { approval, user: viewer.user })
  if (typeof asked === 'string') return asked
  const form = formFor(asked.requests)
  if (form === 'too-large') return TOO_LARGE
  const all = Object.values(asked.requests)
  const card = {
    tool: asked.proposed.call.tool,
    messages: all.map(({ message }) => message),
    urls: all.flatMap((one) => (one.mode === 'url' ? [one.url] : [])),
  }
  const { channel, thread } = viewer
  return answerView(card, form, {
    approval,
    channel,
    thread,
    round: roundsOf(asked.steps, asked.proposed.call),
  })
}

/** What is wrong with an answer, by block; undefined where it can be taken, or the story says what became of it. */
export async function checkAnswer(
  db: Db,
  heard: HeardOf<'submitted'>,
): Promise<Record<string, string> | undefined> {
  const asked = await readAsked(db, await runOf(db, heard.approval, heard), answering(heard))
  if (typeof asked === 'string') return undefined
  const read = responsesOf(asked.requests, heard.values)
  return 'errors' in read ? read.errors : undefined
}

/** Takes an answer: the call goes on with it. The private sentence where it does not count. */
export async function takeAnswer(tx: Tx, heard: HeardOf<'submitted'>): Promise<string | undefined> {
  const asked = await lockAsked(tx, answering(heard))
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

/** A form says which question it was made for; one that says nothing answers none. */
function answering(heard: HeardOf<'submitted'>) {
  return { ...heard, round: heard.round ?? 0 }
}

async function lockAsked(
  tx: Tx,
  heard: { approval: string; workspace: string; channel: string; user: string; round?: number | undefined },
): Promise<Asked | string> {
  const found = await runOf(tx, heard.approval, heard)
  return readAsked(tx, found && (await lockRun(tx, found.id)), heard)
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
function formFor(requests: Requests): Form | 'too-large' | undefined {
  const { properties, required } = schemaOf(requests)
  if (properties.length === 0) return undefined
  if (properties.length > MOST_FIELDS) return 'too-large'
  const suggested = properties.map(([name, one]) => withDefault(name, Object(one)))
  const schema = {
    type: 'object',
    properties: Object.fromEntries(suggested.map(({ name, property }) => [name, property])),
    required,
  }
  const defaults = suggested.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))
  return formOf(schema, Object.fromEntries(defaults)) ?? 'too-large'
}

/** What the server suggests for a field; what a field cannot show is left out, and said. */
function withDefault(name: string, property: Record<string, unknown>) {
  const { default: value, ...rest } = property
  if (value === undefined) return { name, property, value }
  const alone = formOf(
    { type: 'object', properties: Object.fromEntries([[name, rest]]) },
    Object.fromEntries([[name, value]]),
  )
  if (alone && 'fields' in alone) return { name, property: rest, value }
  const why = 'What the server suggests here cannot be shown, so it is not filled in.'
  return { name, property: { ...rest, description: `${why} ${rest.description ?? ''}` }, value: undefined }
}

const SEPARATOR = ' / '

/** The fields of all forms side by side, each named by its question where there are several. */
function schemaOf(requests: Requests): { properties: [string, unknown][]; required: string[] } {
  const forms = formsOf(requests)
  const named = (key: string, name: string) => (forms.length > 1 ? `${key}${SEPARATOR}${name}` : name)
  return {
    properties: forms.flatMap(([key, { schema }]) =>
      Object.entries(Object(schema.properties)).map(([name, one]): [string, unknown] => [
        named(key, name),
        one,
      ]),
    ),
    required: forms.flatMap(([key, { schema }]) =>
      Array.isArray(schema.required) ? schema.required.map((name) => named(key, String(name))) : [],
    ),
  }
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
  if (form === 'too-large') return { errors: { '': TOO_LARGE } }
  const read = form ? argumentsOf(form, values) : { args: {} }
  if ('errors' in read) return read
  const forms = formsOf(requests)
  const responses: [string, unknown][] = []
  const errors: Record<string, string>[] = []
  for (const [key, request] of Object.entries(requests)) {
    if (request.mode === 'url') {
      responses.push([key, { action: 'accept' }])
      continue
    }
    const prefix = forms.length > 1 ? `${key}${SEPARATOR}` : ''
    const content = Object.fromEntries(
      Object.entries(read.args).flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
      ),
    )
    const checked = checkArguments(request.schema, content)
    if (checked.ok) responses.push([key, { action: 'accept', content }])
    else if (form) errors.push(errorsAt(form, { why: checked.why, fields: prefixed(prefix, checked.fields) }))
  }
  if (errors.length > 0) return { errors: Object.assign({}, ...errors.toReversed()) }
  // Keys are the server's: `__proto__` is one like any other.
  return { responses: Object.fromEntries(responses) }
}

function prefixed(prefix: string, fields: ReadonlyMap<string, string> = new Map()) {
  return new Map([...fields].map(([name, said]) => [`${prefix}${name}`, said]))
}
