/** `quorum ask "question"`: the product's own recall and model, in the terminal. */
import { parseArgs } from 'node:util'
import { type RecallContext, recall } from '../agent/knowledge/recall.ts'
import { citedOf } from '../agent/knowledge/remember.ts'
import { openRights } from '../agent/knowledge/rights.ts'
import type { ChatAnswer, ChatMessage } from '../core/chat.ts'
import { keepKnown } from '../core/cite.ts'
import type { Agent } from '../core/home.ts'
import type { Purpose } from '../core/meter.ts'
import { permitCloud } from '../core/permit.ts'
import { buildPrompt } from '../core/prompt.ts'
import type { Policy } from '../core/rules.ts'
import type { Wait } from '../core/wait.ts'
import type { Hit } from '../store/passages.ts'
import { openEngines } from './engines.ts'
import { readEnv } from './environment.ts'
import { findWorkspace } from './knowledge.ts'
import { print } from './print.ts'
import { openRecalling } from './recalling.ts'
import { formatHits } from './search.ts'
import { openSpeakerFor } from './speaker.ts'

export const ASK_USAGE = 'quorum ask "question" [--channel C0123 | --as U0123] [--explain] [--json]'

type Context = RecallContext & {
  workspace: string
  policy: Policy
  agent: Agent
  /** Asks the model, at somebody's cost. */
  ask: (messages: ChatMessage[], about: Purpose) => Promise<ChatAnswer | { wait: Wait }>
  print: (line: string) => void
}

/** Opens what asking needs; Slack is asked who may read what where there is a token. */
export async function openAsk(args: string[]): Promise<number> {
  const read = readEnv()
  const env = { ...read, LOG_LEVEL: read.LOG_LEVEL === 'info' ? ('warn' as const) : read.LOG_LEVEL }
  await using engines = await openEngines({ env })
  const { store, home, models } = engines
  await using speaker = await openSpeakerFor(env, store)
  const meter = engines.meter(speaker?.speak ?? { members: async () => [], name: async (id) => id })
  const [agent] = home.agents
  if (!agent) throw new Error('a home has at least one agent')
  return await askDoor(args, {
    ...openRecalling(engines, openRights({ pool: store.pool, roster: speaker?.speak.roster })),
    patienceMs: 20_000,
    workspace: await findWorkspace(speaker, store),
    agent,
    ask: (messages, about) =>
      models.ask(
        { messages, tools: [] },
        {
          meter,
          about,
          signal: AbortSignal.timeout(600_000),
          model: agent.model,
          smaller: agent.smaller,
          cloud: permitCloud(home.policy, about),
          since: Date.now(),
        },
      ),
    print,
  })
}

/**
 * Answers a question from what may be read in a channel (`--channel`), by a person alone (`--as`), or by everyone.
 * No tools are offered and nothing is stored. `--explain` shows what was recalled, in which order and why, and what of
 * it the answer cites. Answers the exit code.
 */
export async function askDoor(args: string[], context: Context): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      as: { type: 'string', default: '' },
      channel: { type: 'string', default: '' },
      explain: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const question = positionals.join(' ').trim()
  if (question === '' || (values.as !== '' && values.channel !== '')) {
    context.print(`Usage: ${ASK_USAGE}`)
    return 2
  }
  const { workspace, agent } = context
  const { as: user, channel } = values
  const readers = channel ? `channel:${channel}` : user ? `user:${user}` : 'everyone'
  const sources = agent.knowledge ? { sources: agent.knowledge } : {}
  const permit = permitCloud(context.policy, { channel, agent: agent.name })
  const found = await recall(context, { workspace, readers, query: question, permit, ...sources })
  const passages = citedOf(found.passages, 0)
  const at = new Date().toISOString()
  const messages = buildPrompt({
    instructions: agent.instructions,
    past: [],
    steps: [
      { n: 1, kind: 'asked', at, user: user || 'somebody', text: question, ts: '0' },
      { n: 2, kind: 'recalled', at, query: question, passages, sources: found.sources, ms: found.ms },
    ],
  })
  const about = { workspace, channel, thread: '', user, agent: agent.name, lane: 'interactive' } as const
  const answer = await context.ask(messages, about)
  if ('wait' in answer) {
    context.print(answer.wait.text)
    return 1
  }
  const { text, cited } = keepKnown(answer.text, new Set(passages.map(({ n }) => n)))
  if (values.json) {
    const hits = found.passages.map((hit, i) => ({ n: i + 1, cited: cited.includes(i + 1), ...hit }))
    const { degraded, sources: searched, ms } = found
    const told = { question, readers, answer: text, cited, model: answer.model, degraded, sources: searched }
    context.print(JSON.stringify({ ...told, ms: { recall: ms, answer: answer.ms }, passages: hits }))
    return 0
  }
  for (const line of formatAnswer(text, cited, found.passages)) context.print(line)
  if (found.degraded) context.print(`(${found.degraded})`)
  if (!values.explain) return 0
  const names = cited.length === 0 ? 'none' : cited.map((n) => `[${n}]`).join(' ')
  context.print(`\n${formatHits(found.passages)}`)
  context.print(
    `Cited: ${names}. Recalled for ${readers} from ${found.sources} sources in ${found.ms} ms; ${answer.model} answered in ${Math.round(answer.ms)} ms.`,
  )
  return 0
}

/** The answer, and a line for each page it cites. */
function formatAnswer(text: string, cited: readonly number[], hits: readonly Hit[]): string[] {
  const lines = [plain(text).trim() || 'The model had nothing to say.']
  if (cited.length > 0) lines.push('', 'Sources')
  else if (hits.length > 0) lines.push('', 'This answer cites none of the pages that were found.')
  for (const n of cited) {
    const hit = hits[n - 1]
    if (hit) lines.push(plain(`[${n}] ${[hit.title, hit.date, hit.link].filter(Boolean).join(' · ')}`))
  }
  return lines
}

/** Without the control characters by which a text could steer the terminal. */
function plain(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|\p{Cf}/gu, '')
}
