/** What the people of a channel settled for it in Slack. Every part narrows what policy.yaml and the agent allow. Pure. */
import { z } from 'zod'
import type { CatalogueTool } from './catalogue.ts'
import type { Agent } from './home.ts'
import { matches } from './pattern.ts'
import type { Policy, Rules } from './rules.ts'

/** What holds for a run from its question on. Where a part is left out it narrows nothing; an empty list leaves nothing. */
export const Narrowing = z.object({
  /** Tools that are offered and called: `server__tool`, `*` for any characters. */
  tools: z.array(z.string()).optional(),
  /** Sources that are read. */
  sources: z.array(z.string()).optional(),
  /** People and user groups, among whom approvers must be wherever policy.yaml names any. */
  approvers: z.array(z.string()).optional(),
})
export type Narrowing = z.infer<typeof Narrowing>

/** `agent`: who takes up what is asked in the channel. */
export const Settings = Narrowing.extend({ agent: z.string().optional() })
export type Settings = z.infer<typeof Settings>

/** What held in the channel when a run was asked for. */
export function narrowingOf([first]: readonly {
  kind: string
  narrowing?: Narrowing | undefined
}[]): Narrowing {
  return first?.narrowing ?? {}
}

/**
 * The policy for a run in a channel that names its approvers: whoever approves must stand among them, too, wherever a
 * rule names approvers. A rule that names none stays as it is, for the requester is not replaced by anybody. Each such
 * rule is followed by itself with these approvers, which says nothing else anew.
 */
export function tighten(policy: Policy, { approvers }: Narrowing): Policy {
  if (!approvers || approvers.length === 0) return policy
  const also = (rules: Rules): Rules =>
    mapValues(rules, (list) =>
      list.flatMap((rule) => (rule.approvers ? [rule, { ...rule, approvers }] : [rule])),
    )
  return {
    ...policy,
    tools: also(policy.tools),
    channels: mapValues(policy.channels, (one) => ({ ...one, tools: also(one.tools) })),
    agents: mapValues(policy.agents, (one) => ({ ...one, tools: also(one.tools) })),
  }
}

function mapValues<V, W>(record: Record<string, V>, change: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

/** The agent with no more knowledge than the channel lets it read. */
export function narrow(agent: Agent, { sources }: Narrowing): Agent {
  if (!sources) return agent
  const own = agent.knowledge
  return { ...agent, knowledge: own ? own.filter((name) => sources.includes(name)) : sources }
}

/** The tools that a channel leaves. */
export function offeredIn(tools: readonly CatalogueTool[], { tools: patterns }: Narrowing): CatalogueTool[] {
  if (!patterns) return [...tools]
  return tools.filter((tool) =>
    [tool.name, `${tool.server}__${tool.tool}`].some((name) => patterns.some((one) => matches(one, name))),
  )
}
