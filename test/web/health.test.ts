import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { openHealth } from '../../src/web/health.ts'

test('a connection that never asks anything does not hold up the end', async () => {
  const health = await openHealth({ host: '127.0.0.1', port: 0 }, [])
  const silent = connect(health.port, '127.0.0.1')
  const gone = new Promise((resolve) => silent.once('close', resolve))
  silent.on('error', () => {})
  await new Promise((resolve) => silent.once('connect', resolve))
  expect((await fetch(`http://127.0.0.1:${health.port}/health`)).status).toBe(200)
  await health.close()
  await gone
}, 5_000)
