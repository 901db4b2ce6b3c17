/** Asking pools without an agent around them. */
import type { Meter, Purpose } from '../../src/core/meter.ts'
import type { ModelAnswer, ModelQuestion, OpenModels } from '../../src/models/open.ts'

export const about: Purpose = {
  workspace: 'T1',
  channel: 'C1',
  thread: '1.0',
  user: 'U1',
  agent: 'quorum',
  lane: 'interactive',
}

/** Allows everything and keeps nothing. */
export const unmetered: Meter = async (_, { most }) => ({ most, settle: async () => undefined })

/** Asks one short question, or what is given, as Ana in a channel. */
export function askFor(
  models: OpenModels,
  { request, ...options }: Partial<ModelQuestion> = {},
): Promise<ModelAnswer> {
  return models.ask(request ?? { messages: [{ role: 'user', content: 'How?' }], tools: [] }, {
    signal: new AbortController().signal,
    about,
    meter: unmetered,
    since: Date.now(),
    ...options,
  })
}
