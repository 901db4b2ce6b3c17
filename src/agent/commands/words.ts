/** Words that only show something to whoever says them, after `/quorum` or in a message that holds nothing else. */

import type { CatalogueTool } from '../../core/catalogue.ts'
import { HELP } from '../../core/command.ts'
import type { Agent } from '../../core/home.ts'
import { offeredIn, tighten } from '../../core/settings.ts'
import { approvalsMessage } from '../../slack/blocks/approvals.ts'
import { sayMessage } from '../../slack/blocks/say.ts'
import { sourcesMessage } from '../../slack/blocks/sources.ts'
import { traceMessage } from '../../slack/blocks/trace.ts'
import type { Message } from '../../slack/message.ts'
import type { Speak } from '../../slack/speak.ts'
import type { Tools } from '../../tools/open.ts'
import { isAdmin } from '../admins.ts'
import { approvalsFor } from '../approvals/waiting.ts'
import { type ShowContext, showBudgets } from '../budgets/show.ts'
import { sourcesFor } from '../knowledge/readable.ts'
import type { Rights } from '../knowledge/rights.ts'
import { othersRead } from '../seeing.ts'
import { type SettingsContext, settingsFor, showSettings, whoAnswers } from '../settings.ts'
import { findTraced, type TraceContext } from '../trace.ts'
import { tellTools } from './direct.ts'
import { NO_PROMPTS, tellPrompts } from './prompts.ts'
import { tellStatus } from './status.ts'

export type WordContext = ShowContext &
  TraceContext &
  SettingsContext & {
    speak: Pick<Speak, 'permalink'>
    rights: Pick<Rights, 'outside'>
    /** Every tool that was accepted, whether its server is there or not. */
    accepted: () => readonly CatalogueTool[]
    tools: Pick<Tools, 'prompts'>
    agents: readonly Agent[]
    /** The agent that takes up messages. */
    agent: string
  }

/** A word and who said it, where; `thread` in a message. */
export type Said = {
  word: string
  rest: string
  workspace: string
  channel: string
  user: string
  thread?: string | undefined
}

/** The answer to a word, for nobody else to see; undefined where the word is none of these. */
export async function answerWord(context: WordContext, said: Said): Promise<Message | undefined> {
  const { user } = said
  switch (said.word) {
    case 'help':
      return sayMessage(HELP)
    case 'status':
      return sayMessage(await tellStatus(context.pool, said))
    case 'budget':
      return showBudgets(context, said)
    case 'prompts':
      return sayMessage((await othersRead(context, said)) ? NO_PROMPTS : await tellPrompts(context.tools))
    case 'tools': {
      const { agent: settled, narrowing = {} } = await settingsFor(context.pool, said)
      const agent = whoAnswers(context, settled)
      const policy = tighten(context.policy, narrowing)
      const place = { ...said, agent, outside: await othersRead(context, said) }
      return sayMessage(tellTools(policy, offeredIn(context.accepted(), narrowing), place))
    }
    case 'agents': {
      const { agent: settled } = await settingsFor(context.pool, said)
      const [mine, outside] = await Promise.all([
        sourcesFor(context, said, await isAdmin(context, user)),
        othersRead(context, said),
      ])
      return sayMessage(
        tellAgents(context.agents, whoAnswers(context, settled), {
          sources: mine.map(({ name }) => name),
          outside,
        }),
      )
    }
    case 'approvals': {
      const { mine, asked } = await approvalsFor(context, user)
      return approvalsMessage(mine, asked)
    }
    case 'sources': {
      const admin = await isAdmin(context, user)
      const mine = await sourcesFor(context, said, admin)
      return sourcesMessage(mine.map(({ error, ...one }) => ({ ...one, ...(admin ? { error } : {}) })))
    }
    case 'settings':
      return showSettings(context, said)
    case 'trace': {
      const run = await findTraced(context, said.rest, said)
      return typeof run === 'string' ? sayMessage(run) : traceMessage(run.id)
    }
    default:
      return undefined
  }
}

const MOST = 20

/** What somebody may know of: sources by their names; tools not where people of other organisations read. */
type Seen = { sources: readonly string[]; outside: boolean }

/** Every agent: what it is for, and what it has. */
function tellAgents(agents: readonly Agent[], here: string, seen: Seen): string {
  const lines = agents.slice(0, MOST).map((agent) => {
    const about = agent.description ? `: ${agent.description.replace(/\s+/g, ' ').slice(0, 200)}` : ''
    const some = seen.outside ? 'some tools' : `tools ${agent.tools?.join(', ')}`
    const tools = agent.tools?.length === 0 ? 'no tools' : agent.tools ? some : 'all tools'
    const sources = agent.knowledge ? tellSources(agent.knowledge, seen) : 'all sources'
    const marks = agent.name === here ? ' (answers here)' : ''
    return `• ${agent.name}${marks}${about} (${tools}; ${sources})`
  })
  if (agents.length > MOST) lines.push(`… and ${agents.length - MOST} more.`)
  return lines.join('\n')
}

function tellSources(names: readonly string[], { sources }: Seen): string {
  const shown = names.filter((name) => sources.includes(name))
  const hidden = names.length - shown.length
  const all = [...shown, ...(hidden > 0 ? [`${hidden} that you may not read`] : [])]
  return all.length > 0 ? `sources ${all.join(', ')}` : 'no sources'
}
