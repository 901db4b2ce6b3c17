import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startCommand } from '../support/command.ts'
import { makeTemporary } from '../support/temporary.ts'
import { openVllm } from '../support/vllm-server.ts'

test('quorum pool shows every replica, and drains and undrains by pool or address', async () => {
  await using place = await makeTemporary()
  await using up = await openVllm()
  await using gone = await openVllm()
  await gone.fail('refuse')
  await mkdir(join(place.dir, 'home/agents'), { recursive: true })
  await writeFile(join(place.dir, 'home/agents/quorum.md'), '---\nname: quorum\n---\nYou are a teammate.\n')
  const pools = { main: { model: 'test', replicas: [up.url, gone.url] } }
  await writeFile(join(place.dir, 'home/models.yaml'), JSON.stringify({ pools }))
  const run = async (...args: string[]) => {
    const command = startCommand(['pool', ...args], { cwd: place.dir, env: { LOG_LEVEL: 'warn' } })
    const code = await command.ended
    return { code, out: command.out(), err: command.err() }
  }

  const drained = await run('drain', up.url)
  expect(drained).toMatchObject({ code: 0, err: '' })
  const lineOf = (out: string, url: string) => out.split('\n').find((line) => line.includes(url)) ?? ''
  expect(lineOf(drained.out, up.url)).toMatch(
    /up, drained since \d{4}-.*0 running, 0 waiting, cache 0 % in use/,
  )
  expect(lineOf(drained.out, gone.url)).toMatch(/down: .*cannot be reached/)

  const undrained = await run('undrain', 'main')
  expect(undrained.out).not.toMatch(/drained since/)

  const unknown = await run('drain', 'mian')
  expect(unknown.code).toBe(1)
  expect(unknown.err).toMatch(/There is no pool and no replica mian. Known are: main, http/)
  expect(await run('drain')).toMatchObject({ code: 2 })
}, 120_000)
