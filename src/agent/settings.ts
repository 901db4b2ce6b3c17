/** The settings of a channel: who may change them, what they are, and what becomes of a change. */
import type { ModalView } from '@slack/types'
import type { CatalogueTool } from '../core/catalogue.ts'
import type { HeardOf } from '../core/heard.ts'
import type { Agent } from '../core/home.ts'
import type { Policy } from '../core/rules.ts'
import { type Narrowing, offeredIn, Settings } from '../core/settings.ts'
import { type Choices, NOTHING, settingsMessage, settingsView } from '../slack/blocks/settings.ts'
import type { Message } from '../slack/message.ts'
import type { Viewer } from '../slack/opening.ts'
import type { Speak } from '../slack/speak.ts'
import { addSettings, findSettings } from '../store/settings.ts'
import type { Db, Tx } from '../store/transaction.ts'
import { isAdmin } from './admins.ts'
import { sourcesFor } from './knowledge/readable.ts'
import type { Rights } from './knowledge/rights.ts'

export type SettingsContext = {
  pool: Db
  policy: Policy
  agents: readonly Agent[]
  /** The agent that takes up messages where nothing is settled. */
  agent: string
  accepted: () => readonly CatalogueTool[]
  rights: Pick<Rights, 'meet' | 'readable'>
  speak: Pick<Speak, 'decider' | 'name'>
}

const NOT_HERE =
  'Only channels have settings. What you like for yourself stands in App Home, under Preferences.'

/** The modal for whoever may change the settings of the channel they are in; else what they are, in a sentence. */
export async function openSettings(context: SettingsContext, viewer: Viewer): Promise<ModalView | string> {
  const { workspace, channel, user } = viewer
  if (!isChannel(channel)) return NOT_HERE
  if (!(await mayChange(context, viewer))) return (await describe(context, viewer)).join('\n')
  const settled = await findSettings(context.pool, workspace, channel)
  const now = settled?.settings ?? {}
  const about = { subject: settled?.id ?? '', channel }
  return settingsView(about, now, await choicesFor(context, { workspace, user }, now))
}

/** What holds in a channel, for whoever asks by a word; those who may get the button that changes it. */
export async function showSettings(context: SettingsContext, viewer: Viewer): Promise<Message> {
  if (!isChannel(viewer.channel)) return settingsMessage([NOT_HERE], undefined, undefined)
  const [settled, lines, may] = await Promise.all([
    findSettings(context.pool, viewer.workspace, viewer.channel),
    describe(context, viewer),
    mayChange(context, viewer),
  ])
  const last = settled && { who: await context.speak.name(settled.by), at: settled.at }
  return settingsMessage(lines, last, may ? viewer.channel : undefined)
}

/** Who may: admins of the policy, and whom it names as managers of the channel. */
export async function mayChange(
  context: Pick<SettingsContext, 'policy' | 'speak'>,
  { channel, user }: { channel: string; user: string },
): Promise<boolean> {
  if (await isAdmin(context, user)) return true
  const { channels } = context.policy
  const managers = (Object.hasOwn(channels, channel) ? channels[channel]?.managers : undefined) ?? []
  const person = await context.speak.decider(
    user,
    managers.filter((who) => who.startsWith('S')),
  )
  return !person.barred && (managers.includes(user) || person.groups.length > 0)
}

/** What holds for a question in a channel: who takes it up, and what narrows it. */
export async function settingsFor(
  db: Db,
  { workspace, channel }: { workspace: string; channel: string },
): Promise<{ agent?: string; narrowing?: Narrowing }> {
  const settled = isChannel(channel) ? await findSettings(db, workspace, channel) : undefined
  if (!settled) return {}
  const { agent, ...narrowing } = settled.settings
  return { ...(agent ? { agent } : {}), ...(Object.keys(narrowing).length > 0 ? { narrowing } : {}) }
}

/** Who answers where this agent was settled: the usual one where none was, or it is gone. */
export function whoAnswers(
  { agents, agent }: Pick<SettingsContext, 'agents' | 'agent'>,
  settled: string | undefined,
): string {
  return agents.some(({ name }) => name === settled) && settled ? settled : agent
}

/** What somebody who wants to change the settings can see of what there is; looked at before the transaction. */
export type Seen = { may: boolean; sources: readonly string[] }

export async function prepareSettings(context: SettingsContext, heard: HeardOf<'filled'>): Promise<Seen> {
  const { workspace, channel, user } = heard
  const may = isChannel(channel) && (await mayChange(context, { channel, user }))
  return { may, sources: may ? (await choicesFor(context, { workspace, user }, {})).sources : [] }
}

/** Takes a change, keeps who made it, and says what holds from then on. */
export async function takeSettings(
  tx: Tx,
  context: Pick<SettingsContext, 'agent'>,
  heard: HeardOf<'filled'>,
  seen: Seen,
): Promise<string> {
  if (!seen.may)
    return 'Only admins and the managers of this channel change its settings, so nothing was changed.'
  const { workspace, channel, user } = heard
  const settled = await findSettings(tx, workspace, channel)
  const before = settled?.settings ?? {}
  const settings = readFilled(heard.values, before, seen)
  if (settings.agent === context.agent) delete settings.agent
  if (JSON.stringify(settings) === JSON.stringify(before)) return 'Nothing was changed.'
  const added = await addSettings(tx, { workspace, channel, by: user, after: heard.subject }, settings)
  if (!added) return 'Somebody else changed the settings meanwhile, so yours were not taken. Open them again.'
  return 'The settings of this channel were changed. They hold from the next question on.'
}

/** What was filled in. What there was no field for, and sources that whoever fills in cannot see, stay as they were. */
function readFilled(values: Record<string, unknown>, before: Settings, seen: Seen): Settings {
  const listed = (block: string, was?: string[]): string[] | undefined => {
    const given = values[block]
    if (!Array.isArray(given)) return was
    const list = given.map(String)
    return list.length === 0 ? undefined : list.filter((one) => one !== NOTHING).sort()
  }
  const unseen = (before.sources ?? []).filter((name) => !seen.sources.includes(name))
  const shown = listed('sources', before.sources)
  const sources = unseen.length > 0 ? [...new Set([...(shown ?? []), ...unseen])].sort() : shown
  const approvers = [...(listed('people') ?? []), ...(listed('groups') ?? [])]
  const agent = typeof values.agent === 'string' ? values.agent : before.agent
  const tools = listed('tools', before.tools)
  return Settings.parse({
    ...(tools ? { tools } : {}),
    ...(sources ? { sources } : {}),
    ...(approvers.length > 0 ? { approvers } : {}),
    ...(agent ? { agent } : {}),
  })
}

async function choicesFor(
  context: SettingsContext,
  of: { workspace: string; user: string },
  now: Settings,
): Promise<Choices> {
  const sources = await sourcesFor(context, of, await isAdmin(context, of.user))
  const groups = await Promise.all(
    groupsIn(context.policy, now).map(async (id) => ({ id, name: await context.speak.name(id) })),
  )
  return {
    agents: context.agents.map(({ name, description }) => ({ name, about: description ?? '' })),
    tools: context.accepted().map(({ server, name }) => ({ server, name })),
    sources: sources.map(({ name }) => name),
    groups,
  }
}

/** The user groups that a policy names, and those that approve already. */
function groupsIn(policy: Policy, { approvers = [] }: Settings): string[] {
  const layers = [policy, ...Object.values(policy.channels), ...Object.values(policy.agents)]
  const rules = layers.flatMap(({ tools }) => Object.values(tools).flat())
  const named = [...approvers, ...policy.admins, ...rules.flatMap((rule) => rule.approvers ?? [])]
  return [...new Set(named.filter((who) => /^S[A-Z0-9]/.test(who)))].sort()
}

async function describe(context: SettingsContext, viewer: Viewer): Promise<string[]> {
  const { workspace, channel, user } = viewer
  const { settings = {} as Settings } = (await findSettings(context.pool, workspace, channel)) ?? {}
  const { tools, sources, approvers } = settings
  const agent = whoAnswers(context, settings.agent)
  const visible = new Set(
    (await sourcesFor(context, { workspace, user }, await isAdmin(context, user))).map(({ name }) => name),
  )
  const shown = sources?.filter((name) => visible.has(name)) ?? []
  const hidden = (sources?.length ?? 0) - shown.length
  const named = [...shown, ...(hidden > 0 ? [`${hidden} that you may not read`] : [])]
  const count = offeredIn(context.accepted(), settings).length
  const who = approvers && (await Promise.all(approvers.map(context.speak.name)))
  return [
    `Settings of this channel: ${agent} answers.`,
    tools
      ? `Tools: ${tools.join(', ') || 'none'} (${count} of them).`
      : 'Tools: whatever policy.yaml allows.',
    sources ? `Sources: ${named.join(', ') || 'none'}.` : 'Sources: all that everybody here may read.',
    who
      ? `Approvals: by ${who.join(', ')}, of those whom policy.yaml names.`
      : 'Approvals: as policy.yaml says.',
    'Admins and the managers that policy.yaml names for this channel change them with `/quorum settings`.',
  ]
}

function isChannel(channel: string): boolean {
  return /^[CG]/.test(channel)
}
