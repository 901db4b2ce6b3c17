/** What servers say of themselves at `/metrics`: vLLM's names, old and new, and llama.cpp's. Pure. */

/** `running`, `waiting`: requests. `kv`: share of the key-value cache in use, 0 to 1. `tokens`: read and written so far. */
export type Metrics = { running?: number; waiting?: number; kv?: number; tokens?: number; asleep: boolean }

type Field = 'running' | 'waiting' | 'kv' | 'tokens'

/** Several engines behind one address are one server: their counts are added, the fullest cache counts. */
const NAMES: Record<string, Field> = {
  'vllm:num_requests_running': 'running',
  'vllm:num_requests_waiting': 'waiting',
  'vllm:kv_cache_usage_perc': 'kv',
  'vllm:gpu_cache_usage_perc': 'kv',
  'vllm:prompt_tokens_total': 'tokens',
  'vllm:generation_tokens_total': 'tokens',
  'llamacpp:requests_processing': 'running',
  'llamacpp:requests_deferred': 'waiting',
  'llamacpp:kv_cache_usage_ratio': 'kv',
  'llamacpp:prompt_tokens_total': 'tokens',
  'llamacpp:tokens_predicted_total': 'tokens',
}
const SLEEP = 'vllm:engine_sleep_state'

/** Reads a page of Prometheus text; undefined where it holds none of the names. */
export function readMetrics(page: string): Metrics | undefined {
  const found: Metrics = { asleep: false }
  for (const line of page.split('\n')) {
    const [, metric, labels = '', text] = /^([A-Za-z_:][\w:]*)(\{[^}]*\})?\s+(\S+)/.exec(line) ?? []
    if (metric === SLEEP && /sleep_state="awake"/.test(labels)) found.asleep ||= Number(text) === 0
    const field = metric === undefined ? undefined : NAMES[metric]
    const value = Number(text)
    if (!field || !Number.isFinite(value)) continue
    found[field] = field === 'kv' ? Math.max(found.kv ?? 0, value) : (found[field] ?? 0) + value
  }
  return Object.keys(found).length > 1 || found.asleep ? found : undefined
}
