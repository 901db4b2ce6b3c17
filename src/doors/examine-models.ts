/** What the doctor finds of the models: every replica of every pool. */
import type { Home } from '../core/home.ts'
import { type Pool, replicasOf, tierOf } from '../core/pools.ts'
import { openChat } from '../models/chat.ts'
import { findPools } from '../models/find.ts'
import type { Finding } from './doctor.ts'

const NONE = 'Describe a pool in models.yaml, set OPENAI_BASE_URL and OPENAI_MODEL, or start Ollama.'

/** One finding a replica, all asked at once, and one for a cloud pool without a price. */
export async function examineModels(home: Home | undefined): Promise<Finding[]> {
  try {
    const found = await findPools(home?.models, process.env)
    if (!found)
      return [{ mark: 'bad', about: 'model', said: 'none is configured and no Ollama runs here', help: NONE }]
    const pools = Object.entries(found.pools)
    const about = (name: string) => (pools.length > 1 ? `model ${name}` : 'model')
    const findings = pools.map(async ([name, pool]) => {
      const replicas = await Promise.all(
        replicasOf(pool).map((at) => examineReplica(about(name), pool, at, found.origin)),
      )
      return [...replicas, ...examinePrice(about(name), pool)]
    })
    return (await Promise.all(findings)).flat()
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    const help = 'Mend models.yaml, or OPENAI_BASE_URL and OPENAI_MODEL.'
    return [{ mark: 'bad', about: 'model', said, help }]
  }
}

async function examineReplica(
  about: string,
  pool: Pool,
  at: ReturnType<typeof replicasOf>[number],
  origin: string,
): Promise<Finding> {
  const chat = openChat(pool, process.env, undefined, at)
  const probed = await chat.probe()
  const where = `${chat.model} at ${chat.url} (${tierOf(pool)}, from ${origin})`
  if (!probed.ok) return { mark: 'bad', about, said: `${where}: ${probed.why}`, help: 'Is the server up?' }
  if (probed.models.length === 0 || probed.models.includes(chat.model))
    return { mark: 'ok', about, said: where }
  const help = `Listed there: ${probed.models.slice(0, 10).join(', ')}`
  return { mark: 'warn', about, said: `${where}: the server does not list this model`, help }
}

function examinePrice(about: string, pool: Pool): Finding[] {
  if (tierOf(pool) === 'local' || pool.price) return []
  const said = `${pool.model} is in the cloud and has no price, so nothing is asked of it`
  const help =
    'Give it a `price` in models.yaml and a budget in dollars in budgets.yaml, or `tier: local` if it is yours.'
  return [{ mark: 'bad', about, said, help }]
}
