import { expect, test } from 'vitest'
import { readMetrics } from '../../src/models/metrics.ts'
import { openRetryBudget } from '../../src/models/retries.ts'
import { openCounter } from '../../src/models/tokens.ts'

const label = '{engine="0",model_name="m"}'

test('vLLM of today, with two engines behind one address', () => {
  const page = [
    '# HELP vllm:num_requests_running Number of requests in model execution batches.',
    `vllm:num_requests_running${label} 3.0`,
    'vllm:num_requests_running{engine="1",model_name="m"} 2.0',
    `vllm:num_requests_waiting${label} 7.0`,
    `vllm:kv_cache_usage_perc${label} 0.25`,
    'vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.75',
    `vllm:prompt_tokens_total${label} 1e+06`,
    `vllm:generation_tokens_total${label} 500.0`,
    'vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="awake"} 1.0',
    'vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="discard_all"} 0.0',
  ].join('\n')
  expect(readMetrics(page)).toEqual({ running: 5, waiting: 7, kv: 0.75, tokens: 1_000_500, asleep: false })
})

test('vLLM before 0.9, and a server that sleeps', () => {
  expect(readMetrics(`vllm:gpu_cache_usage_perc{model_name="m"} 0.5`)).toEqual({ kv: 0.5, asleep: false })
  const asleep = 'vllm:engine_sleep_state{engine="0",sleep_state="awake"} 0.0'
  expect(readMetrics(asleep)).toEqual({ asleep: true })
})

test('a page without any of the names, or with nonsense, says nothing', () => {
  expect(readMetrics('<html>Not found</html>')).toBeUndefined()
  expect(readMetrics('process_cpu_seconds_total 12\nvllm:num_requests_running NaN')).toBeUndefined()
})

test('one call in ten may be made again, after ten at first; a quiet process gets one back every ten seconds', () => {
  let now = 0
  const budget = openRetryBudget(() => now)
  const taken = () => {
    let count = 0
    while (budget.take()) count += 1
    return count
  }
  expect(taken()).toBe(10)
  for (let i = 0; i < 55; i += 1) budget.earn()
  expect(taken()).toBe(5)
  now = 26_000
  expect(taken()).toBe(3)
})

test('a prompt is counted by what a server said of its beginning, and what is new by the measure learnt', async () => {
  const counter = openCounter('m')
  const system = { role: 'system' as const, content: 'You are a teammate of few words. '.repeat(40) }
  const ask = (...texts: string[]) => ({
    messages: [system, ...texts.map((content) => ({ role: 'user' as const, content }))],
    tools: [],
  })
  const guess = await counter.count(ask('How?'))
  counter.learn(ask('How?'), guess * 2)
  expect(await counter.count(ask('How?'))).toBe(guess * 2)
  const longer = await counter.count(ask('How?', 'And then?'))
  expect(longer).toBeGreaterThan(guess * 2)
  expect(longer).toBeLessThan(guess * 2 + 40)
  // Another conversation with other words is measured by the model's own measure from now on.
  const other = { messages: [{ ...system, content: system.content.replaceAll('few', 'many') }], tools: [] }
  expect(await counter.count(other)).toBeGreaterThan(guess * 1.1)
})
