import { expect, test } from 'vitest'
import { permitCloud } from '../../src/core/permit.ts'
import { type Pool, replicasOf, tierOf } from '../../src/core/pools.ts'
import { PolicyFile } from '../../src/core/rules.ts'

const at = (...replicas: Pool['replicas']) => ({ model: 'm', replicas })

test.each([
  ['http://127.0.0.1:8000/v1', 'local'],
  ['http://localhost:8000/v1', 'local'],
  ['http://gpu-7:8000/v1', 'local'],
  ['http://[::1]:8000/v1', 'local'],
  ['http://[fd00::7]/v1', 'local'],
  ['http://10.1.2.3/v1', 'local'],
  ['http://172.31.0.1/v1', 'local'],
  ['http://vllm.models.svc.cluster.local/v1', 'local'],
  ['http://172.32.0.1/v1', 'cloud'],
  ['http://8.8.8.8/v1', 'cloud'],
  ['https://api.openai.com/v1', 'cloud'],
  ['http://localhost.evil.example/v1', 'cloud'],
  ['http://10.evil.example/v1', 'cloud'],
  ['http://[2001:db8::1]/v1', 'cloud'],
])('%s is %s where the pool does not say', (url, tier) => {
  expect(tierOf(at(url))).toBe(tier)
})

test('one replica outside makes the pool one in the cloud; what the pool says counts', () => {
  expect(tierOf(at('http://10.0.0.1/v1', 'https://api.example.com/v1'))).toBe('cloud')
  expect(tierOf({ ...at('https://gpu.example.com/v1'), tier: 'local' })).toBe('local')
})

test('a replica has the key and headers of its pool unless it has its own', () => {
  const pool = { ...at('http://a/v1', { url: 'http://b/v1', key: 'B' }), key: 'A', headers: { x: '1' } }
  expect(replicasOf(pool)).toEqual([
    { url: 'http://a/v1', key: 'A', headers: { x: '1' } },
    { url: 'http://b/v1', key: 'B', headers: { x: '1' } },
  ])
})

test('no permit for a channel, an agent or a workspace that is kept to local models', () => {
  const place = { channel: 'C1', agent: 'quorum' }
  const permit = (policy: object, where = place) => permitCloud(PolicyFile.parse(policy), where)
  expect(permit({})).toEqual({ channel: 'C1' })
  expect(permit({ channels: { C2: { models: 'local' } } })).toEqual({ channel: 'C1' })
  expect(permit({ channels: { C1: { models: 'local' } } })).toBeUndefined()
  expect(permit({ agents: { quorum: { models: 'local' } } })).toBeUndefined()
  // Layers only tighten.
  expect(permit({ models: 'local', channels: { C1: { models: 'any' } } })).toBeUndefined()
  expect(permit({}, { channel: 'constructor', agent: 'toString' })).toEqual({ channel: 'constructor' })
})
