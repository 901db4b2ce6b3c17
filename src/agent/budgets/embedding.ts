/** What embedding costs is held and charged like everything else, to the workspace as a whole. */
import { Fault } from '../../core/fault.ts'
import type { Embeddings } from '../../core/home.ts'
import type { Attempt, Purpose } from '../../core/meter.ts'
import type { Spend } from '../../models/embed.ts'
import { type MeterContext, openMeter } from './meter.ts'

/**
 * Holds the tokens of every request to the embedding server; `workspace` says for whom, and undefined before that is
 * known, when nothing is held.
 */
export function spendOnEmbeddings(
  { ledger, budgets }: Pick<MeterContext, 'ledger' | 'budgets'>,
  config: Embeddings | undefined,
  workspace: () => string | undefined,
): Spend {
  const meter = openMeter({ ledger, budgets, members: async () => [], name: async (id) => id })
  return async (tokens) => {
    const whose = workspace()
    if (whose === undefined) return { settle: async () => {} }
    const nobody = { channel: '', thread: '', user: '', agent: '' }
    const about: Purpose = { workspace: whose, ...nobody, lane: 'background' }
    const held = await meter(about, attemptOf(config, tokens))
    if ('wait' in held) throw new Fault('embed-unavailable', held.wait.text)
    return { settle: (used) => held.settle({ prompt: used, completion: 0, sure: false }) }
  }
}

function attemptOf(config: Embeddings | undefined, prompt: number): Attempt {
  const { model = '', price } = config ?? {}
  const attempt = { pool: 'embeddings', model, prompt, most: 0, least: 0 }
  if (price === undefined) return { ...attempt, tier: 'local' }
  return { ...attempt, tier: 'cloud', price: { prompt: Math.round(price * 1_000_000), completion: 0 } }
}
