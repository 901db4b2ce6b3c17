/** Which model answers: the home's, else what the environment names, else an Ollama on this machine. */
import { Fault } from '../core/fault.ts'
import type { Models } from '../core/home.ts'
import type { Pool } from '../core/pools.ts'
import { type Names, openEndpoint } from './endpoint.ts'
import { faultOf } from './failure.ts'

/** `pools` by their names; the first one is asked where an agent names none. */
export type Found = { pools: Record<string, Pool>; origin: 'models.yaml' | 'OPENAI_BASE_URL' | 'ollama' }

const OPENAI = 'https://api.openai.com/v1'
const OLLAMA = 'http://127.0.0.1:11434/v1'
const OLLAMA_PROBE_MS = 300
const LIST_MS = 5_000
/** Models that are listed beside the others and cannot chat. */
const NO_CHAT = /embed|bge-|e5-|gte-|minilm|rerank|whisper|tts|dall-e|moderation|transcribe|image/i

/**
 * Looks for pools: models.yaml, then OPENAI_BASE_URL or OPENAI_API_KEY, then Ollama at its usual address.
 * `undefined`: there is none.
 *
 * @throws Fault `model-*` when OPENAI_BASE_URL is set and its models cannot be listed though OPENAI_MODEL is
 * empty; `config-invalid` when only a key for OpenAI is set and no model
 */
export async function findPools(
  home: Models | undefined,
  env: Names,
  options: { ollama?: string } = {},
): Promise<Found | undefined> {
  if (home && Object.keys(home.pools).length > 0) return { pools: home.pools, origin: 'models.yaml' }
  if (env.OPENAI_BASE_URL || env.OPENAI_API_KEY)
    return { pools: { main: await fromEnvironment(env) }, origin: 'OPENAI_BASE_URL' }
  const url = options.ollama ?? OLLAMA
  const model = await listChatModels({ url }, env, OLLAMA_PROBE_MS).then(
    (models) => models[0],
    () => undefined,
  )
  return model === undefined ? undefined : { pools: { main: { model, replicas: [url] } }, origin: 'ollama' }
}

async function fromEnvironment(env: Names): Promise<Pool> {
  const url = env.OPENAI_BASE_URL ?? OPENAI
  const key = env.OPENAI_API_KEY ? { key: 'OPENAI_API_KEY' } : {}
  const pool = (model: string): Pool => ({ model, replicas: [url], ...key })
  if (env.OPENAI_MODEL) return pool(env.OPENAI_MODEL)
  if (!env.OPENAI_BASE_URL)
    throw new Fault(
      'config-invalid',
      'OPENAI_API_KEY is set and OPENAI_MODEL is not: name the model, for they differ much in price',
    )
  const [first] = await listChatModels({ url, ...key }, env, LIST_MS)
  if (first !== undefined) return pool(first)
  throw new Fault(
    'config-invalid',
    'the server at OPENAI_BASE_URL lists no model that can chat; set OPENAI_MODEL',
  )
}

async function listChatModels(at: { url: string; key?: string }, env: Names, ms: number): Promise<string[]> {
  const { client, secrets } = openEndpoint(at, env)
  const signal = AbortSignal.timeout(ms)
  try {
    const page = await client.models.list({ signal })
    return (page.data ?? []).map((model) => String(model.id)).filter((id) => !NO_CHAT.test(id))
  } catch (error) {
    if (signal.aborted)
      throw new Fault('model-unreachable', `the model server did not answer within ${ms} ms`, { retry: true })
    throw faultOf(error, secrets)
  }
}
