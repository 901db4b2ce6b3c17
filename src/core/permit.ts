/**
 * The permit to ask a cloud model. A call to one cannot be written without it, and only the check for the place where
 * the answer will be read makes one.
 */
import type { Policy } from './rules.ts'

declare const made: unique symbol
/** Says that what is said in this channel may go to a cloud model. */
export type CloudPermit = { readonly channel: string; readonly [made]: true }

/** Where an answer will be read, and whose it is. */
export type Place = { channel: string; agent: string }

/** The permit, or undefined where the policy keeps the workspace, the channel or the agent to local models. */
export function permitCloud(policy: Policy, { channel, agent }: Place): CloudPermit | undefined {
  const layers = [policy, own(policy.channels, channel), own(policy.agents, agent)]
  if (layers.some((layer) => layer?.models === 'local')) return undefined
  return Object.freeze({ channel }) as CloudPermit
}

function own<T>(layers: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(layers, name) ? layers[name] : undefined
}
