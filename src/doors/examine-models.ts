/** What the doctor finds of the models: every replica of every pool. */
import { allowsMoney } from '../core/budget.ts'
import type { Home } from '../core/home.ts'
import { type Pool, replicasOf, tierOf } from '../core/pools.ts'
import { openChat } from '../models/chat.ts'
import { findPools } from '../models/find.ts'
import type { Finding } from './doctor.ts'

const NONE = 'Describe a pool in models.yaml, set OPENAI_BASE_URL and OPENAI_MODEL, or start Ollama.'

/** One finding a replica, all asked at once, and one for a cloud pool that nothing may be spent on. */
export async function examineModels(home: Home | undefined): Promise<Finding[]> {
  try {
    const found = await findPools(home?.models, process.env)
    if (!found)
      return [{ mark: 'bad', about: 'model', said: 'none is configured and no Ollama runs here', help: NONE }]
    const pools = Object.entries(found.pools)
    const about = (name: string) => (pools.length > 1 ? `model ${name}` : 'model')
    // Where there is nothing else nobody is answered at all.
    const mark = pools.every(([, pool]) => tierOf(pool) === 'cloud') ? ('bad' as const) : ('warn' as const)
    const findings = pools.map(async ([name, pool]) => {
      const replicas = await Promise.all(
        replicasOf(pool).map((at) => examineReplica(about(name), pool, at, found.origin)),
      )
      return [...replicas, ...examineMoney(about(name), pool, home).map((one) => ({ ...one, mark }))]
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

function examineMoney(about: string, pool: Pool, home: Home | undefined): Omit<Finding, 'mark'>[] {
  if (tierOf(pool) === 'local') return []
  const what = `${pool.model} is in the cloud`
  if (!pool.price) {
    const help = 'Write its `price` into models.yaml, or `tier: local` where it costs nothing.'
    return [{ about, said: `${what} and has no price, so nothing is spent on it`, help }]
  }
  if (home && allowsMoney(home.budgets)) return []
  const help = 'Write one into budgets.yaml: workspace: { month: { dollars: 50 } }'
  return [{ about, said: `${what} and no budget in dollars is set, so nothing is spent`, help }]
}
