/** Takes the README's pictures of the demo: `node test/support/take-screenshot.ts [DIRECTORY]`. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { type Demo, openDemo } from '../../src/doors/demo.ts'
import { openBrowser } from './browser.ts'
import { makeTemporary } from './temporary.ts'

const DIRECTORY = process.argv[2] ?? fileURLToPath(new URL('../../src/demo', import.meta.url))
/** The page is laid out larger than the picture, so that a whole conversation is on it. */
const ZOOM = 1.2

const browser = await openBrowser()
if (!browser) process.exit(1)
await using temporary = await makeTemporary()
const demo = await openDemo({ data: temporary.dir, port: 0 })
try {
  await takeConversation(browser, demo)
  await takeQuestion(browser, demo)
  await takeHome(browser, demo)
} finally {
  await browser.close()
  await demo.close()
}

async function visit(on: Browser, user: string, where: string, width: number, height: number): Promise<Page> {
  const page = await on.newPage({
    viewport: { width: Math.round(width * ZOOM), height: Math.round(height * ZOOM) },
    deviceScaleFactor: 1 / ZOOM,
    colorScheme: 'light',
    reducedMotion: 'reduce',
  })
  await page.goto(`${demo.workspace.url}/?as=${user}${where}`)
  await page.getByText('Connecting to the workspace').waitFor({ state: 'detached' })
  return page
}

async function take(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0)
  await page.waitForTimeout(500)
  await page.screenshot({ path: path.join(DIRECTORY, `${name}.png`) })
  await page.close()
}

async function write(page: Page, text: string, where = 'composer'): Promise<void> {
  await page.getByTestId(where).fill(text)
  await page.getByTestId(where).press('Enter')
}

/** A question answered with citations, and a file written after Approve. */
async function takeConversation(on: Browser, { workspace }: Demo): Promise<void> {
  const { say, until, messages, users, channels } = workspace
  await say(
    users.chloe,
    channels.general,
    'Morning! The pilots in Porto report that ETAs jumped after the last release of `berth-api`.',
  )
  const asked = await say(users.ben, channels.general, '@quorum how do we roll back a deploy?')
  const answered = (words: string) => () =>
    messages(channels.general, asked).some(({ text }) => text.includes(words))
  await until(answered('skipper rollback'), 15_000)
  await until(answered('Done'), 15_000)
  await say(users.ben, channels.general, 'Rolled back, ETAs are steady again. I will look into it tomorrow.')
  await say(users.chloe, channels.general, 'Thank you. Who has the pager?')
  const page = await visit(on, users.ana, '', 1280, 800)
  const thread = page.getByTestId('thread')
  await write(page, '@quorum who is on call this week?')
  await thread.getByTestId('button-trace').waitFor()
  await write(page, 'write a file handover.md saying "Ben takes over the pager on Friday"', 'thread-composer')
  await thread.getByTestId('button-approve').click()
  await thread.getByTestId('button-trace').nth(1).waitFor()
  await thread.getByText('Successfully wrote').waitFor()
  await take(page, 'screenshot')
}

/** A question about a message of others, with the file that came with it. */
async function takeQuestion(on: Browser, { workspace }: Demo): Promise<void> {
  const { say, users, channels } = workspace
  const content =
    '# Gauge at the north quay\n\nLW 0.3 m at 06:12 and 18:37.\n\nHW 2.9 m at 12:24. Ships of more than 2.5 m draught wait for it.\n'
  const files = [{ name: 'gauge.md', type: 'text/markdown', content }]
  await say(users.ben, channels.ops, 'Here is the gauge of today. The Albatros draws 2.7 m.', { files })
  const page = await visit(on, users.ana, '#ops', 900, 540)
  const message = page.getByTestId('message').filter({ hasText: 'the gauge of today' })
  await message.hover()
  await message.getByTestId('ask-about').click()
  const modal = page.getByTestId('modal')
  await modal.getByRole('textbox').fill('When can ships of more than 2.5 m draught come in?')
  await modal.getByTestId('modal-submit').click()
  await modal.waitFor({ state: 'detached' })
  await message.getByTestId('replies').click()
  await page.getByTestId('thread').getByTestId('button-trace').waitFor()
  await take(page, 'screenshot-ask')
}

/** App Home of somebody whose decision is waited for. */
async function takeHome(on: Browser, { workspace }: Demo): Promise<void> {
  const { say, until, messages, users, channels } = workspace
  const asked = await say(users.ana, channels.ops, '@quorum write a file tides.md saying "HW 12:24"')
  await until(
    () =>
      messages(channels.ops, asked).some(({ blocks }) => JSON.stringify(blocks ?? '').includes('approve')),
    15_000,
  )
  const page = await visit(on, users.ana, '#home', 900, 620)
  await page.getByTestId('home').getByText('Waiting for your decision').waitFor()
  await take(page, 'screenshot-home')
}
