/** The whole demo as a person meets it: in a real browser, and from the command line. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { type Demo, openDemo } from '../../src/doors/demo.ts'
import { listenForComplaints, openBrowser } from '../support/browser.ts'
import { makeTemporary } from '../support/temporary.ts'

// No model of this machine takes part.
vi.stubEnv('OPENAI_BASE_URL', undefined)
vi.stubEnv('OPENAI_MODEL', undefined)

const browser = await openBrowser()
afterAll(() => browser?.close())

const complaints: string[] = []

async function visit(demo: Demo): Promise<Page> {
  const page = await (browser as Browser).newPage({ viewport: { width: 1280, height: 800 } })
  page.setDefaultTimeout(15_000)
  listenForComplaints(page, complaints)
  await page.goto(`${demo.workspace.url}/?as=${demo.workspace.users.ana}`)
  await page.getByText('Connecting to the workspace').waitFor({ state: 'detached' })
  return page
}

async function write(page: Page, text: string, where = 'composer'): Promise<void> {
  await page.getByTestId(where).fill(text)
  await page.getByTestId(where).press('Enter')
}

test.skipIf(!browser)(
  'a person asks, reads, approves, and finds it all again',
  { timeout: 90_000 },
  async () => {
    await using temporary = await makeTemporary()
    const file = path.join(temporary.dir, 'scratch', 'handover.md')
    let demo = await openDemo({ data: temporary.dir, port: 0 })
    const port = Number(new URL(demo.workspace.url).port)
    try {
      expect(demo.standIn).toBe(true)
      const page = await visit(demo)
      await askAndRead(page)
      await approveAndSee(page, file)
      await page.close()
      await demo.close()
      demo = await openDemo({ data: temporary.dir, port })
      await comeBack(await visit(demo))
      expect(complaints).toEqual([])
    } finally {
      await demo.close()
    }
  },
)

/** A question: work begins, the answer comes with its source, and the source opens. */
async function askAndRead(page: Page): Promise<void> {
  const thread = page.getByTestId('thread')
  await write(page, '@quorum how do we roll back a deploy?')
  await thread.getByTestId('plan').getByText('Working on it').waitFor()
  await thread.getByText('skipper rollback berth-api').waitFor()
  await thread.getByTestId('button-trace').waitFor()
  const [source] = await Promise.all([
    page.context().waitForEvent('page'),
    thread
      .getByRole('link', { name: /^Source \d+$/ })
      .first()
      .click(),
  ])
  listenForComplaints(source, complaints)
  await source.getByRole('heading', { name: 'Roll back a deploy', level: 1 }).waitFor()
  await source.getByText('Updated 2026-').waitFor()
  await source.getByRole('link', { name: 'Feature flags' }).first().click()
  await source.getByRole('heading', { name: 'Feature flags', level: 1 }).waitFor()
  await source.close()
}

/** A request: the card shows exactly what would run, nothing runs before Approve, and the steps tell the way. */
async function approveAndSee(page: Page, file: string): Promise<void> {
  const thread = page.getByTestId('thread')
  await write(page, '@quorum write a file handover.md saying "Ben takes over the pager on Friday"')
  await thread.getByTestId('button-approve').waitFor()
  const shown = await thread.locator('pre').textContent()
  expect(JSON.parse(shown ?? '')).toEqual({
    path: 'handover.md',
    content: 'Ben takes over the pager on Friday',
  })
  await expect(readFile(file, 'utf8')).rejects.toThrow('ENOENT')
  await thread.getByTestId('button-approve').click()
  await thread.getByText('Approved by').waitFor()
  await thread.getByTestId('button-trace').waitFor()
  await thread.getByText('Successfully wrote').waitFor()
  expect(await thread.getByTestId('button-approve').count()).toBe(0)
  expect(await readFile(file, 'utf8')).toBe('Ben takes over the pager on Friday')
  await thread.getByTestId('button-trace').click()
  const modal = page.getByTestId('modal')
  await modal.getByText(/Finished: answered/).waitFor()
  const steps = await modal.textContent()
  for (const step of ['1. Asked', 'Searched 1 source', 'Needs approval', 'Approved', 'Started', 'Finished']) {
    expect(steps).toMatch(new RegExp(`${step}[^·]{0,40} · today \\d+:\\d\\d:\\d\\d`))
  }
  await page.keyboard.press('Escape')
}

/** After a restart everything said is there, and the thread goes on. */
async function comeBack(page: Page): Promise<void> {
  const thread = page.getByTestId('thread')
  const asked = page.getByTestId('message').filter({ hasText: 'write a file handover.md' })
  await page.getByTestId('message').filter({ hasText: 'how do we roll back a deploy?' }).waitFor()
  await asked.getByTestId('replies').click()
  await thread.getByText('Successfully wrote').waitFor()
  await write(page, 'now read it back', 'thread-composer')
  await thread.getByText('handover.md holds:').waitFor()
  await thread
    .locator('pre')
    .getByText(/^Ben takes over the pager on Friday\s*$/)
    .waitFor()
  await page.close()
}

const ENTRY = fileURLToPath(new URL('../../src/quorum.ts', import.meta.url))

/** `quorum demo` in a directory; `said` gathers what it prints. */
function startDemo(cwd: string, ...args: string[]) {
  const { OPENAI_BASE_URL: _, OPENAI_MODEL: __, ...env } = process.env
  const child = spawn(process.execPath, [ENTRY, 'demo', '--port', '0', ...args], { cwd, env })
  const told = { text: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data: Buffer) => {
      told.text += data
    })
  }
  const kill = () => void child.kill('SIGKILL')
  return { child, told, ended: once(child, 'exit') as Promise<[number | null]>, [Symbol.dispose]: kill }
}

async function addressOf({ child, told }: ReturnType<typeof startDemo>): Promise<string> {
  for (;;) {
    const url = /Quorum demo +(\S+)/.exec(told.text)?.[1]
    if (url) return url
    if (child.exitCode !== null) throw new Error(`the demo ended: ${told.text}`)
    await once(child.stdout as NonNullable<ChildProcess['stdout']>, 'data')
  }
}

describe('the command', () => {
  test('one demo at a time in a directory, and it ends by itself when asked', {
    timeout: 60_000,
  }, async () => {
    await using temporary = await makeTemporary()
    using first = startDemo(temporary.dir)
    const url = await addressOf(first)
    using second = startDemo(temporary.dir, '--fresh')
    expect(await second.ended).toEqual([1, null])
    expect(second.told.text).toMatch(/is in use by process \d+\. Stop it first\.\n\(store-locked\)\n$/)
    expect((await fetch(`${url}/ui/boot`)).status).toBe(200)
    const asked = performance.now()
    first.child.kill('SIGINT')
    expect(await first.ended).toEqual([0, null])
    expect(performance.now() - asked).toBeLessThan(5_000)
    expect(first.told.text).not.toContain('"level"')
  })

  test('asked to end while it starts, it says so and ends well', { timeout: 60_000 }, async () => {
    await using temporary = await makeTemporary()
    using demo = startDemo(temporary.dir)
    await once(demo.child.stdout, 'data')
    demo.child.kill('SIGTERM')
    expect(await demo.ended).toEqual([0, null])
    expect(demo.told.text).toContain('Ending as soon as the start is complete.')
    expect(demo.told.text).not.toContain('http://')
  })
})
