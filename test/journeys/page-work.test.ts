/** The product as a person meets it in a real browser: files, the menu of a message, App Home, feedback, modals. */
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { listenForComplaints, openBrowser } from '../support/browser.ts'
import { openStage, type Stage } from '../support/stage.ts'

const browser = await openBrowser()
afterAll(() => browser?.close())

const it = test.skipIf(!browser)
const complaints: string[] = []
let stage: Stage
const pages: Page[] = []
beforeAll(async () => {
  if (browser) stage = await openStage({ model: { text: 'The mast is 12 m high.' }, admins: ['U0CHLOE'] })
})
afterAll(() => stage?.[Symbol.asyncDispose]())
afterEach(async () => {
  for (const page of pages.splice(0)) await page.context().close()
  expect(complaints.splice(0)).toEqual([])
})

/** A person's page at a place, as `#ops`, `#dm` or `#home`. */
async function visit(user: string, where = ''): Promise<Page> {
  const context = await (browser as Browser).newContext({
    viewport: { width: 1280, height: 860 },
    reducedMotion: 'reduce',
  })
  context.setDefaultTimeout(20_000)
  const page = await context.newPage()
  pages.push(page)
  listenForComplaints(page, complaints)
  await page.goto(`${stage.workspace.url}/?as=${user}${where}`)
  await page.getByText('Connecting to the workspace').waitFor({ state: 'detached' })
  return page
}

async function write(page: Page, text: string, where = 'composer'): Promise<void> {
  await page.getByTestId(where).fill(text)
  await page.getByTestId(where).press('Enter')
}

it('files are added to a message, one is taken back, and the answer says which could not be read', async () => {
  const page = await visit(stage.workspace.users.ana)
  await page.getByTestId('composer-files').setInputFiles([
    { name: 'notes.md', mimeType: 'text/markdown', buffer: Buffer.from('# Mast\n\nTwelve metres.') },
    { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from('\x89PNG') },
    { name: 'wrong.txt', mimeType: 'text/plain', buffer: Buffer.from('not this one') },
  ])
  await page.getByRole('button', { name: 'Leave out wrong.txt' }).click()
  await write(page, '@quorum how high is it?')
  const thread = page.getByTestId('thread')
  await thread.getByText('The mast is 12 m high.').waitFor()
  await thread.getByText('I could not read photo.png: .png is not a format that is read.').waitFor()
  expect(await page.getByText('notes.md').count()).toBeGreaterThan(0)
  expect(await page.getByText('wrong.txt').count()).toBe(0)
  const prompt = JSON.stringify(stage.model.requests.at(-1)?.body.messages)
  expect(prompt).toContain('Twelve metres.')
  expect(prompt).not.toContain('not this one')
})

it('the menu of any message asks about it, and shows the trace', async () => {
  const { workspace } = stage
  const { ana, ben } = workspace.users
  await workspace.say(ben, workspace.channels.ops, 'LW 0.3 at 06:12')
  const page = await visit(ana, '#ops')
  const message = page.getByTestId('message').filter({ hasText: 'LW 0.3' })
  await message.hover()
  await message.getByTestId('show-trace').click()
  await page.getByText('I did nothing in this thread').waitFor()
  await message.hover()
  await message.getByTestId('ask-about').click()
  const modal = page.getByTestId('modal')
  await modal.getByText('LW 0.3 at 06:12').waitFor()
  await modal.getByRole('textbox').fill('What does LW mean?')
  await modal.getByTestId('modal-submit').click()
  await modal.waitFor({ state: 'detached' })
  await message.getByTestId('replies').click()
  const thread = page.getByTestId('thread')
  await thread.getByText('asks about a message of Ben').waitFor()
  const answer = thread.getByTestId('message').filter({ hasText: 'The mast is 12 m high.' })
  await answer.hover()
  await answer.getByTestId('show-trace').click()
  await modal.getByText('Read 1 earlier message').waitFor()
})

it('a thumb down asks what was wrong at once, and says that it was kept', async () => {
  const page = await visit(stage.workspace.users.ana)
  await write(page, '@quorum how high is the mast, again?')
  const thread = page.getByTestId('thread')
  const answer = thread.getByTestId('message').filter({ hasText: 'The mast is 12 m high.' })
  await answer.getByRole('button', { name: 'Bad answer' }).click()
  const modal = page.getByTestId('modal')
  await modal.getByText('What was wrong?').waitFor()
  await modal.getByRole('radio').first().check()
  await modal.getByRole('textbox').fill('It is higher with the antenna.')
  await modal.getByTestId('modal-submit').click()
  await page.getByText('Thank you. This is kept with the answer').waitFor()
  await modal.waitFor({ state: 'detached' })
  const kept = await stage.engines.store.pool.query(`select note from feedback where signal = 'down'`)
  expect(kept.rows).toEqual([{ note: 'It is higher with the antenna.' }])
})

it('in a direct message the answer grows while it is written, and stands whole in its place', async () => {
  const { promise: read, resolve: goOn } = Promise.withResolvers<void>()
  const pieces = ['The mast is twelve metres high, ', 'without the antenna.']
  stage.model.follow(() => ({ text: pieces, last: read }))
  const page = await visit(stage.workspace.users.chloe, '#dm')
  await write(page, 'how high is the mast?')
  const thread = page.getByTestId('thread')
  const growing = thread.locator('.streaming')
  await growing.getByText('The mast is twelve').waitFor()
  expect(await growing.textContent()).not.toContain('antenna')
  goOn()
  await thread.getByText('The mast is twelve metres high, without the antenna.').waitFor()
  await growing.waitFor({ state: 'detached' })
  await thread.getByRole('button', { name: 'Good answer' }).waitFor()
  expect(await thread.getByText('twelve metres').count()).toBe(1)
  stage.model.follow(() => ({ text: 'The mast is 12 m high.' }))
})

it('Home shows what is under way, stops it, and keeps what a person likes', async () => {
  const { workspace } = stage
  const { ben } = workspace.users
  const { promise, resolve } = Promise.withResolvers<void>()
  stage.model.follow(async () => {
    await promise
    return { text: 'Late.' }
  })
  const ts = await workspace.say(ben, workspace.channels.ops, '@quorum measure the mast')
  await workspace.until(() => stage.said(workspace.channels.ops, ts).length > 0)
  const page = await visit(ben, '#home')
  const home = page.getByTestId('home')
  await home.getByText('Under way for you').waitFor()
  await home.getByText('measure the mast').waitFor()
  await home.getByTestId('button-stop').click()
  await home.getByText('measure the mast').waitFor({ state: 'detached' })
  resolve()
  await stage.ended(workspace.channels.ops, ts)
  expect(stage.said(workspace.channels.ops, ts).at(-1)).toContain('Stopped')
  await home.getByTestId('button-preferences').click()
  const modal = page.getByTestId('modal')
  await modal.getByTestId('modal-submit').waitFor()
  await modal.locator('[data-block=language]').selectOption('de')
  await modal.getByTestId('modal-submit').click()
  await home.getByText('I answer you in German').waitFor()
  stage.model.follow(() => ({ text: 'The mast is 12 m high.' }))
})
