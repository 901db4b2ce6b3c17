/** The embedding model of a home, paid for by the workspace it works for. */
import { openSpending } from '../agent/budgets/embedding.ts'
import { openMeter } from '../agent/budgets/meter.ts'
import type { Home } from '../core/home.ts'
import { type Embedder, openEmbedder } from '../models/embed.ts'
import type { Ledger } from '../store/ledger.ts'

export function openPaidEmbedder(home: Home, ledger: Ledger): Embedder {
  const embeddings = home.models?.embeddings
  // Nobody in particular asks for vectors, so that no group of people is looked up.
  const nobody = { members: async () => [], name: async (id: string) => id }
  const meter = openMeter({ ...nobody, ledger, budgets: home.budgets })
  return openEmbedder(embeddings, process.env, embeddings && openSpending(meter, embeddings))
}
