/** What the doctor finds of embeddings: the model, and how far its vectors are. */
import { lacksPrice } from '../agent/budgets/embedding.ts'
import type { Home } from '../core/home.ts'
import { openEmbedder } from '../models/embed.ts'
import { listWorkspaces } from '../store/documents.ts'
import type { Store } from '../store/open.ts'
import { countVectors, listVectorTables } from '../store/vectors.ts'
import type { Finding } from './doctor.ts'

export async function examineEmbeddings(home: Home | undefined): Promise<Finding> {
  const embeddings = home?.models?.embeddings
  if (embeddings && lacksPrice(embeddings)) {
    const said = `${embeddings.model} is in the cloud and has no price: no vectors are made`
    const help = 'Give embeddings a `price` in models.yaml, and the workspace a budget in dollars.'
    return { mark: 'warn', about: 'embeddings', said, help }
  }
  const embedder = openEmbedder(embeddings, process.env)
  try {
    const ready = await embedder.ready()
    if (ready === 'ready')
      return { mark: 'ok', about: 'embeddings', said: `${embedder.model.name} by ${embedder.runtime()}` }
    const help = 'Without it, only words are searched.'
    return { mark: 'warn', about: 'embeddings', said: `${embedder.model.name}: ${ready.why}`, help }
  } finally {
    await embedder.close()
  }
}

/** How far the vectors of each workspace are, model by model. */
export async function* examineProgress({ pool }: Store): AsyncGenerator<Finding> {
  for (const workspace of await listWorkspaces(pool)) {
    const parts: string[] = []
    let well = true
    for (const table of await listVectorTables(pool, workspace)) {
      if (table.state === 'retired') continue
      const { made, missing, refused } = await countVectors(pool, table, workspace)
      well &&= missing === 0
      const count = `${made} of ${made + missing} passages`
      const odd = refused === 0 ? '' : `, and ${refused} that it does not take`
      parts.push(`${table.name} ${table.state === 'serving' ? 'serves' : 'is being built'}: ${count}${odd}`)
    }
    const said = `${workspace}: ${parts.join('; ') || 'none yet; words are searched'}`
    yield {
      mark: well && parts.length > 0 ? 'ok' : 'warn',
      about: 'vectors',
      said,
      ...(well && parts.length > 0
        ? {}
        : { help: '`quorum start` and `quorum ingest` make what is missing.' }),
    }
  }
}
