import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ToolServer } from '../../src/core/home.ts'
import { alive, call, hostile, openTestTools, until } from '../support/tools.ts'

/** Not below /tmp, which a sandbox has to itself. */
const dir = mkdtempSync(join(process.cwd(), '.quorum-sandbox-'))
afterAll(() => rmSync(dir, { recursive: true }))

const inside = (sandbox: unknown, ...args: string[]) => ToolServer.parse({ ...hostile(...args), sandbox })

/** Whether bubblewrap is here and this machine lets it make namespaces. */
function works(): boolean {
  try {
    execFileSync('bwrap', ['--ro-bind', '/', '/', '--unshare-all', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test('a server that asks for a sandbox is refused where there is no bubblewrap', async () => {
  const env = { ...process.env, PATH: dir }
  await using tools = openTestTools({ bad: inside(true), good: hostile() }, { env })
  expect((await call(tools, 'bad__echo')).text).toBe(
    'bad cannot be reached: mcp.json asks for a sandbox, and bwrap is not installed here; install bubblewrap, or take "sandbox" out.',
  )
  expect((await call(tools, 'good__echo')).outcome).toBe('succeeded')
})

describe.skipIf(!works())('in a sandbox (needs bubblewrap)', () => {
  test('files are read-only but those listed, and /tmp is its own', async () => {
    const servers = { closed: inside(true), open: inside({ write: [dir] }) }
    await using tools = openTestTools(servers)
    const path = join(dir, 'note.txt')
    const refused = await call(tools, 'closed__write', { path })
    expect(refused).toMatchObject({ outcome: 'failed' })
    expect(refused.text).toContain('read-only')
    expect((await call(tools, 'open__write', { path })).text).toBe('written')
    expect(readFileSync(path, 'utf8')).toBe('written')
    const temporary = '/tmp/quorum-sandbox-note'
    expect((await call(tools, 'closed__write', { path: temporary })).text).toBe('written')
    expect(existsSync(temporary)).toBe(false)
  })

  test('no network unless it is asked for', async () => {
    const server = createServer((socket) => void socket.end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const servers = { closed: inside(true), open: inside({ network: true }) }
    await using tools = openTestTools(servers)
    expect((await call(tools, 'closed__dial', { port })).outcome).toBe('failed')
    expect((await call(tools, 'open__dial', { port })).text).toBe('connected')
    server.close()
  })

  test('no other process is seen, and none is left, however it was started', async () => {
    const tools = openTestTools({ bad: inside(true, '--ignores-goodbye') })
    const seen = (await call(tools, 'bad__see')).text.split(',')
    expect(seen.length).toBeLessThan(4)
    await call(tools, 'bad__stray')
    const own = () => execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n')
    const left = () => own().filter((line) => line.includes('ignores-goodbye') && line.includes('bwrap'))
    expect(left().length).toBeGreaterThan(0)
    const pids = left().map((line) => Number.parseInt(line, 10))
    await tools.close()
    await until(() => !pids.some(alive) || left().length === 0)
  })
})
