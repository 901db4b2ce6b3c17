import type { KnownBlock } from '@slack/types'

/**
 * One message as Slack takes it. `text` is what stands in notifications, and instead of the blocks
 * where Slack refuses them; `metadata` names it, so that it can be found again after a crash.
 */
export type Message = { text: string; blocks?: KnownBlock[]; metadata?: { run: string; part: string } }

/** How the rooms log: the door passes one of these in. */
export type Log = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  fields?: Record<string, unknown>,
) => void
