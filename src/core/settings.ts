/** What the people of a channel settled for it in Slack. Every part narrows what policy.yaml and the agent allow. Pure. */
import { z } from 'zod'
import type { CatalogueTool } from './catalogue.ts'
import type { Agent } from './home.ts'
import { matches } from './pattern.ts'
import type { Policy } from './rules.ts'

/** What holds for a run from its question on. Where a part is left out it narrows nothing; an empty list leaves nothing. */
export const Narrowing = z.object({
  /** Tools that are offered and called: `server__tool`, `*` for any characters. */
  tools: z.array(z.string()).optional(),
  /** Sources that are read. */
  sources: z.array(z.string()).optional(),
  /** People and user groups who approve, of those policy.yaml names; in the requester's place where it names none. */
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

/** The policy with what a channel adds to it, as a further rule of that channel: rules only tighten. */
export function tighten(policy: Policy, channel: string, { approvers }: Narrowing): Policy {
  if (!approvers || approvers.length === 0) return policy
  const own = Object.hasOwn(policy.channels, channel) ? policy.channels[channel] : undefined
  const rules = [...(own?.tools['*'] ?? []), { approvers }]
  return {
    ...policy,
    channels: { ...policy.channels, [channel]: { ...own, tools: { ...own?.tools, '*': rules } } },
  }
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
