/** Takes the README's picture of the demo: `node test/support/take-screenshot.ts [FILE]`. */
import { fileURLToPath } from 'node:url'
import { openDemo } from '../../src/doors/demo.ts'
import { openBrowser } from './browser.ts'
import { makeTemporary } from './temporary.ts'

const FILE = process.argv[2] ?? fileURLToPath(new URL('../../src/demo/screenshot.png', import.meta.url))
/** The page is laid out larger than the picture, so that a whole conversation is on it. */
const SIZE = { width: 1280, height: 800 }
const ZOOM = 1.2

const browser = await openBrowser()
if (!browser) process.exit(1)
await using temporary = await makeTemporary()
const demo = await openDemo({ data: temporary.dir, port: 0 })
const { say, until, messages, users, channels } = demo.workspace
await say(
  users.chloe,
  channels.general,
  'Morning! The pilots in Porto report that ETAs jumped after the last release of `berth-api`.',
)
const asked = await say(users.ben, channels.general, '@quorum how do we roll back a deploy?')
await until(
  () => messages(channels.general, asked).some(({ text }) => text.includes('skipper rollback')),
  15_000,
)
await until(() => messages(channels.general, asked).some(({ text }) => text.startsWith('Done')), 15_000)
await say(users.ben, channels.general, 'Rolled back, ETAs are steady again. I will look into it tomorrow.')
await say(users.chloe, channels.general, 'Thank you. Who has the pager?')
const page = await browser.newPage({
  viewport: { width: SIZE.width * ZOOM, height: SIZE.height * ZOOM },
  deviceScaleFactor: 1 / ZOOM,
  colorScheme: 'light',
  reducedMotion: 'reduce',
})
await page.goto(`${demo.workspace.url}/?as=${demo.workspace.users.ana}`)
await page.getByText('Connecting to the workspace').waitFor({ state: 'detached' })
const thread = page.getByTestId('thread')
await page.getByTestId('composer').fill('@quorum who is on call this week?')
await page.getByTestId('composer').press('Enter')
await thread.getByTestId('button-trace').waitFor()
await page
  .getByTestId('thread-composer')
  .fill('write a file handover.md saying "Ben takes over the pager on Friday"')
await page.getByTestId('thread-composer').press('Enter')
await thread.getByTestId('button-approve').click()
await thread.getByTestId('button-trace').nth(1).waitFor()
await thread.getByText('Successfully wrote').waitFor()
await page.mouse.move(0, 0)
await page.waitForTimeout(500)
await page.screenshot({ path: FILE })
await browser.close()
await demo.close()
