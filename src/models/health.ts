/** Looking after the replicas in the house: are they up, how busy, which models. Cloud servers are not polled. */
import type { Log } from './endpoint.ts'
import { readMetrics } from './metrics.ts'
import { measureSpeed, type Replica } from './replica.ts'

/** In milliseconds: a turn, and what one page may take. */
const TURN_MS = 1_000
const PAGE_MS = 2_000
/** Every so many turns: health, list of models, and pages that were not there the last time. */
const HEALTH_TURNS = 2
const MODELS_TURNS = 15
const MISSING_TURNS = 60
/** Turns without an answer after which a replica counts as down. */
const MISSED = 2

/** Starts looking; `changed` is called where a replica came, went, or has room again. Close it to stop. */
export function watchReplica(replica: Replica, model: string, changed: () => void, log: Log) {
  const closed = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let turn = 0
  let missed = 0
  const missing = { metrics: 0, health: 0 }

  const look = async () => {
    if (turn >= missing.metrics) await lookAtMetrics()
    if (turn % HEALTH_TURNS === 0) await lookAtHealth()
    if (turn % MODELS_TURNS === 0 && replica.health.state !== 'down') await lookAtModels()
    turn += 1
  }
  const lookAtMetrics = async () => {
    const { begun, ended } = replica.flight
    const page = await replica.chat.get('/metrics', PAGE_MS).catch(() => undefined)
    const read = page?.status === 200 ? readMetrics(page.text) : undefined
    // A server that is away, or still loads, is asked again; one that has no such page is left alone for a while.
    if (!read && page && !isAway(page.status)) missing.metrics = turn + MISSING_TURNS
    if (!read) return
    const at = performance.now()
    const before = replica.metrics
    if (before?.tokens !== undefined && read.tokens !== undefined && (read.running ?? 0) > 0) {
      const moved = read.tokens - before.tokens
      if (moved > 0) measureSpeed(replica, (moved / (at - before.at)) * 1_000)
    }
    // While prompts are read others wait though few are running: what it bears is the most it was ever seen to run.
    if (read.running && (replica.mostRunning !== undefined || (read.waiting ?? 0) > 0))
      replica.mostRunning = Math.max(replica.mostRunning ?? 0, read.running)
    replica.metrics = { ...read, at, begun, ended }
    changed()
  }
  const lookAtHealth = async () => {
    const path = turn >= missing.health ? '/health' : '/v1/models'
    const page = await replica.chat.get(path, PAGE_MS).catch((error: unknown) => error)
    const status = page instanceof Error || typeof page !== 'object' ? 0 : (page as { status: number }).status
    if (path === '/health' && status >= 400 && status < 500) missing.health = turn + MISSING_TURNS
    // Whoever answers is up, even where it does not know the page; a server that loads or fails says so with 5xx.
    if (status > 0 && status < 500) return cameUp()
    missed += 1
    if (missed >= MISSED || isRefused(page))
      wentDown(status > 0 ? `it answers ${status}` : 'it does not answer')
  }
  const lookAtModels = async () => {
    const page = await replica.chat.get('/v1/models', PAGE_MS).catch(() => undefined)
    if (page?.status !== 200) return
    const { data } = readJson(page.text) as { data?: Listed[] }
    if (!Array.isArray(data)) return
    replica.models = data.map(({ id }) => String(id))
    // llama.cpp lists the file that it serves under whatever name it is asked for.
    const listed = data.find(({ id }) => id === model) ?? (data.length === 1 ? data[0] : undefined)
    const longest = listed?.max_model_len ?? listed?.meta?.n_ctx
    if (typeof longest === 'number' && longest > 0) replica.contextTokens = longest
  }
  const cameUp = () => {
    missed = 0
    const { state } = replica.health
    if (state === 'up') return
    replica.health = { state: 'up', since: performance.now() }
    if (state !== 'down') return
    log('info', 'a model server is back', { url: replica.url })
    replica.backSince = performance.now()
    if (replica.breaker.state === 'open') replica.breaker = { ...replica.breaker, until: performance.now() }
    turn = 0
    changed()
  }
  const wentDown = (why: string) => {
    if (replica.health.state === 'down') return
    replica.health = { state: 'down', since: performance.now(), why }
    replica.metrics = undefined
    log('warn', 'a model server is down', { url: replica.url, why })
    changed()
  }
  const again = () => {
    if (closed.signal.aborted) return
    void look()
      .catch((error: unknown) => log('warn', 'looking after a model server failed', { why: String(error) }))
      .finally(() => {
        if (!closed.signal.aborted) timer = setTimeout(again, TURN_MS).unref()
      })
  }
  again()
  return {
    close() {
      closed.abort()
      clearTimeout(timer)
    },
  }
}

/** A model as `/v1/models` lists it: vLLM tells `max_model_len`, llama.cpp `meta.n_ctx`, both in tokens. */
type Listed = { id?: unknown; max_model_len?: unknown; meta?: { n_ctx?: unknown } | null }

/** llama.cpp answers 501 where it was started without the page. */
function isAway(status: number): boolean {
  return status >= 500 && status !== 501
}

function isRefused(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if ((at as { code?: unknown }).code === 'ECONNREFUSED') return true
  return false
}

function readJson(text: string): object {
  try {
    return Object(JSON.parse(text)) as object
  } catch {
    return {}
  }
}
