/** A Slack without streams. */
import type { Streams } from '../../src/slack/stream.ts'

export const noStreams: Streams = {
  start: async () => 'unavailable',
  append: async () => 'over',
  stop: async () => 'over',
  findOpen: async () => [],
  paceMs: () => 1000,
}
