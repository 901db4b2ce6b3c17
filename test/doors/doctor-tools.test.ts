import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCommand } from '../support/command.ts'
import { makeHome } from '../support/home.ts'
import { hostile } from '../support/tools.ts'

test('doctor says of each server what is accepted, what waits, and what to run', async () => {
  await using home = await makeHome({ words: 'repeats what it is given' })
  const describe = (server: object) =>
    writeFile(join(home.dir, 'mcp.json'), JSON.stringify({ mcpServers: { bad: server } }))
  const server = hostile(`--describes=${join(home.dir, 'words')}`)
  await describe(server)
  const env = { QUORUM_HOME: home.dir, DATABASE_URL: 'postgres://x@127.0.0.1:9/x' }
  const run = (...words: string[]) => runCommand(words, { cwd: home.dir, env })
  const doctor = async () => (await run('doctor')).out.match(/. tool bad.*\n(?: +→.*\n)?/)?.[0] ?? ''

  expect(await doctor()).toMatch(/! tool bad +not accepted, so it is not used\n +→.*quorum tools accept bad/)
  expect(await run('tools', 'accept', 'bad', '--all')).toMatchObject({ code: 0 })
  expect(await doctor()).toMatch(/✓ tool bad +\d+ tools/)
  await writeFile(join(home.dir, 'words'), 'repeats it to everybody')
  expect(await doctor()).toMatch(
    /! tool bad +\d+ tools; 1 new, changed or gone\n +→.*quorum tools accept bad/,
  )
  await describe({ ...server, env: { MORE: 'x' } })
  expect(await doctor()).toMatch(/! tool bad +its command or address changed.*\n +→.*quorum tools accept bad/)
}, 120_000)

test('doctor names tools that look alike, and servers of people that nobody accepted', async () => {
  await using home = await makeHome({})
  const mcpServers = {
    bad: hostile('--names=read_all,read-a11'),
    desk: { url: 'https://desk.example/mcp', auth: { type: 'oauth' } },
  }
  await writeFile(join(home.dir, 'mcp.json'), JSON.stringify({ mcpServers }))
  const env = { QUORUM_HOME: home.dir, DATABASE_URL: 'postgres://x@127.0.0.1:9/x' }
  const run = (...words: string[]) => runCommand(words, { cwd: home.dir, env })
  expect(await run('tools', 'accept', 'bad', '--all')).toMatchObject({ code: 0 })
  const { out } = await run('doctor')
  expect(out).toMatch(
    /! tool names +Too alike to tell apart, so none of these is offered: bad__read-a11, bad__read_all/,
  )
  expect(out).toMatch(/! tool desk +not accepted, so it is not used\n +→.*quorum tools accept desk/)
}, 120_000)
