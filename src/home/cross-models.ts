/** What models.yaml says of itself and of the environment: pools that are not there, keys that are not set. */
import type { Models } from '../core/home.ts'
import { type Pool, tierOf } from '../core/pools.ts'
import { hint } from './nearest.ts'
import type { Path } from './placed.ts'

type Finding = { path: Path; what: string }

/** Every name in the pools that leads nowhere, and every server that stands in one pool twice. */
export function* checkModels(
  models: Models | undefined,
  env: Record<string, string | undefined>,
): Generator<Finding> {
  const pools = models?.pools ?? {}
  for (const [name, pool] of Object.entries(pools)) yield* checkPool(pools, name, pool)
  for (const [path, key] of keysOf(models))
    if (!env[key]) yield { path, what: `${key} is not set in the environment` }
}

function* checkPool(pools: Record<string, Pool>, name: string, pool: Pool): Generator<Finding> {
  const at = (...path: Path) => ['pools', name, ...path]
  const others = Object.keys(pools).filter((one) => one !== name)
  for (const [index, other] of (pool.instead ?? []).entries())
    if (!others.includes(other)) yield { path: at('instead', index), what: missing(other, name, others) }
  const { smaller } = pool
  const small = smaller === undefined ? undefined : pools[smaller]
  if (smaller !== undefined && !others.includes(smaller))
    yield { path: at('smaller'), what: missing(smaller, name, others) }
  else if (small && tierOf(small) === 'cloud')
    yield {
      path: at('smaller'),
      what: `the smaller model must be local, and the pool "${smaller}" is in the cloud`,
    }
  const seen = new Set<string>()
  for (const [index, one] of pool.replicas.entries()) {
    const url = (typeof one === 'string' ? one : one.url).replace(/\/+$/, '')
    if (seen.has(url)) yield { path: at('replicas', index), what: `${url} stands here twice` }
    seen.add(url)
  }
}

function missing(other: string, name: string, others: string[]): string {
  if (other === name) return `the pool "${name}" cannot stand in for itself`
  return `there is no pool "${other}" in models.yaml${hint(other, others)}`
}

/** The names of environment variables that hold keys, and where they stand. */
function keysOf(models: Models | undefined): [Path, string][] {
  const keys: [Path, string | undefined][] = [
    [['embeddings', 'key'], models?.embeddings?.key],
    [['rerank', 'key'], models?.rerank?.key],
  ]
  for (const [name, { key, replicas }] of Object.entries(models?.pools ?? {})) {
    keys.push([['pools', name, 'key'], key])
    for (const [index, one] of replicas.entries())
      if (typeof one !== 'string') keys.push([['pools', name, 'replicas', index, 'key'], one.key])
  }
  return keys.filter((entry): entry is [Path, string] => entry[1] !== undefined)
}
