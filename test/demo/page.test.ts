import path from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorkspace } from '../../src/demo/workspace/open.ts'
import { openBrowser } from '../support/browser.ts'
import { actions, ana, ben, button, general, openStage, type Stage } from '../support/page.ts'
import { makeTemporary } from '../support/temporary.ts'

const browser = await openBrowser()
afterAll(() => browser?.close())

describe.skipIf(!browser)('the page', () => {
  let stage: Stage
  beforeEach(async () => {
    stage = await openStage(browser as Browser)
  })
  afterEach(async () => {
    await stage.close()
    expect(stage.complaints).toEqual([])
  })

  test('an empty channel offers a question, and Enter sends it', async () => {
    const { workspace, open, said } = stage
    const page = await open(ana)
    await page.getByTestId('example').first().click()
    expect(await page.getByTestId('composer').inputValue()).toBe('@quorum how do we roll back a deploy?')
    await page.keyboard.press('Enter')
    await said(page, 'how do we roll back a deploy?').waitFor()
    expect(workspace.messages(general)).toMatchObject([
      { user: ana, text: `<@${workspace.botUser}> how do we roll back a deploy?` },
    ])
    expect(await page.getByTestId('composer').inputValue()).toBe('')
    expect(await page.getByTestId('empty').count()).toBe(0)
  })

  test('writing: names complete, Shift and Enter begin a line, commands are commands', async () => {
    const { workspace, heard, open, said } = stage
    const page = await open(ana)
    const box = page.getByTestId('composer')
    await box.pressSequentially('hi @be')
    await box.press('Tab')
    await box.press('Shift+Enter')
    await box.pressSequentially('*there* <b>')
    await box.press('Enter')
    await said(page, 'hi @Ben').locator('strong', { hasText: 'there' }).waitFor()
    expect(workspace.messages(general)[0]?.text).toBe(`hi <@${ben}> \n*there* &lt;b&gt;`)
    await box.fill('/quorum status')
    await box.press('Enter')
    await workspace.until(() => heard.find(({ command, text }) => command === '/quorum' && text === 'status'))
    await box.fill('/other')
    await box.press('Enter')
    await page.getByTestId('toast').getByText('This workspace knows').waitFor()
    expect(await box.inputValue()).toBe('/other')
  })

  test('what is written before the page knows where it is stays, and is sent on the next Enter', async () => {
    const { open, said } = stage
    const page = await open(ana)
    const { promise: known, resolve: tell } = Promise.withResolvers<void>()
    await page.route('**/ui/dm*', async (route) => {
      await known
      await route.continue()
    })
    await page.reload()
    const box = page.getByTestId('composer')
    await box.fill('soon enough')
    await box.press('Enter')
    tell()
    await page.getByTestId('example').first().waitFor()
    expect(await box.inputValue()).toBe('soon enough')
    await box.press('Enter')
    await said(page, 'soon enough').waitFor()
  })

  test('an agent that is not in a channel is invited before it is mentioned there', async () => {
    const { workspace, open, said } = stage
    const page = await open(ana, '#random')
    const other = await open(ben, '#random')
    const box = page.getByTestId('composer')
    await box.fill('@quorum hello')
    await box.press('Enter')
    await page.getByTestId('confirm-no').click()
    await said(page, 'hello').waitFor()
    await box.fill('@quorum hello again')
    await box.press('Enter')
    await page.getByTestId('confirm-yes').click()
    await other.getByRole('img', { name: 'Quorum' }).waitFor()
    await said(other, 'hello again').waitFor()
    await box.fill('@quorum and once more')
    await box.press('Enter')
    await said(page, 'and once more').waitFor()
    await workspace.until(() => stage.heard.filter(({ event }) => event?.type === 'app_mention').length === 2)
  })

  test('what the agent answers opens the thread; its plan folds when it is done; Stop interrupts', async () => {
    const { workspace, bot, heard, open, said, post } = stage
    const page = await open(ana)
    const root = await workspace.say(ana, general, '@quorum go')
    await said(page, 'go').waitFor()
    const task = (task_id: string, status: string) => ({
      type: 'task_card',
      task_id,
      title: `Task ${task_id}`,
      status,
    })
    const plan = (...statuses: string[]) => [
      { type: 'plan', title: 'The plan', tasks: statuses.map((status, n) => task(String(n), status)) },
    ]
    const ts = await post('working', plan('complete', 'in_progress', 'pending'), root)
    const shown = page.getByTestId('thread').getByTestId('plan')
    await shown.getByText('1 of 3').waitFor()
    expect(await shown.getByRole('listitem').allInnerTexts()).toEqual(['Task 0', 'Task 1', 'Task 2'])
    await bot.apiCall('agents.sessions.setStatus', {
      channel_id: general,
      thread_ts: root,
      status: 'processing',
    })
    await page.getByTestId('stop').click()
    await workspace.until(() => heard.find(({ event }) => event?.type === 'agent_session_stopped'))
    await bot.chat.update({
      channel: general,
      ts,
      text: 'done',
      blocks: plan('complete', 'complete') as never,
    })
    await shown.getByText('2 steps').waitFor()
    expect(await shown.getAttribute('open')).toBeNull()
    await bot.apiCall('agents.sessions.setStatus', { channel_id: general, thread_ts: root, status: 'active' })
    await page.getByTestId('working').waitFor({ state: 'hidden' })
    await page.getByTestId('thread-composer').fill('thank you')
    await page.getByTestId('thread-composer').press('Enter')
    await page.getByTestId('thread').getByText('thank you').waitFor()
    await page.getByTestId('replies').getByText('2 replies').waitFor()
    await page.getByTestId('close-thread').click()
    await page.getByTestId('thread').waitFor({ state: 'hidden' })
    await post('one more', undefined, root)
    await page.getByTestId('replies').getByText('3 replies').waitFor()
    expect(await page.getByTestId('thread').isVisible()).toBe(false)
  })

  test('a press reaches the app, and the card it changes is drawn anew', async () => {
    const { bot, heard, open, said, pressed, post } = stage
    const page = await open(ana)
    const deny = button('Deny', 'deny', {
      style: 'danger',
      confirm: {
        title: { type: 'plain_text', text: 'Really?' },
        text: { type: 'mrkdwn', text: '*No* way back' },
      },
    })
    const ts = await post('card', actions(button('Approve', 'approve', { style: 'primary' }), deny))
    await page.getByTestId('button-deny').click()
    await page.getByTestId('confirm-no').click()
    await page.getByTestId('confirm').waitFor({ state: 'detached' })
    await page.getByTestId('button-approve').click()
    expect(await pressed('approve')).toMatchObject({ value: 'approve-value' })
    expect(heard.flatMap((body) => body.actions ?? []).map(({ action_id }) => action_id)).toEqual(['approve'])
    await bot.chat.update({ channel: general, ts, text: 'Approved by <@U0ANA>', blocks: [] })
    await said(page, 'Approved by').locator('.mention.own').waitFor()
    expect(await page.getByTestId('button-approve').count()).toBe(0)
  })

  test('a press nobody acknowledges is told, and the button lives again', async () => {
    const { complaints, app, open, post } = stage
    const page = await open(ana)
    app.acknowledges = false
    await post('card', actions(button('Press', 'press')))
    await page.getByTestId('button-press').click()
    expect(await page.getByTestId('button-press').isDisabled()).toBe(true)
    await page.getByTestId('toast').waitFor()
    expect(await page.getByTestId('button-press').isEnabled()).toBe(true)
    expect(complaints.splice(0)).toEqual([expect.stringContaining('400 (Bad Request)')])
  })

  test('two tabs are two people: a whisper is for one, edits and deletions are seen by both', async () => {
    const { workspace, bot, open, said } = stage
    const page = await open(ana)
    const other = await open(ben)
    await bot.chat.postEphemeral({ channel: general, user: ana, text: 'between us' })
    await said(page, 'between us').getByText('Only visible to you').waitFor()
    const ts = await workspace.say(ana, general, 'first wording with @ben')
    await said(other, 'first wording').waitFor()
    expect(await said(other, 'between us').count()).toBe(0)
    expect(await said(other, 'first wording').getByTestId('edit').count()).toBe(0)
    await said(page, 'first wording').hover()
    await said(page, 'first wording').getByTestId('edit').click()
    expect(await page.getByTestId('edit-text').inputValue()).toBe('first wording with @ben')
    await page.getByTestId('edit-text').fill('second wording with @ben')
    await page.getByTestId('edit-text').press('Enter')
    await said(other, 'second wording').getByText('(edited)').waitFor()
    expect(workspace.messages(general)[0]?.text).toBe(`second wording with <@${ben}>`)
    await page.getByTestId('composer').press('ArrowUp')
    await page.getByTestId('edit-text').press('Escape')
    await said(page, 'second wording').hover()
    await said(page, 'second wording').getByTestId('delete').click()
    await page.getByTestId('confirm-yes').click()
    await said(other, 'second wording').waitFor({ state: 'detached' })
    expect(workspace.messages(general).some((message) => message.ts === ts)).toBe(false)
  })

  test('the Home tab and direct messages', async () => {
    const { workspace, bot, open, said, pressed } = stage
    const page = await open(ana)
    await page.getByTestId('channel-home').click()
    await page.getByText('Nothing here yet').waitFor()
    await bot.views.publish({
      user_id: ana,
      view: { type: 'home', blocks: actions(button('At home', 'at-home')) as never },
    })
    await page.getByTestId('button-at-home').click()
    await pressed('at-home')
    await page.getByTestId('channel-dm').click()
    await page.getByTestId('composer').fill('hello')
    await page.getByTestId('composer').press('Enter')
    await said(page, 'hello').waitFor()
    expect(workspace.messages(workspace.dm(ana))).toMatchObject([{ text: 'hello' }])
  })

  test('another person is chosen, and sees only their own channels', async () => {
    const { open } = stage
    const page = await open(ana)
    await page.getByTestId('switch-user').click()
    await page.getByTestId('as-gil').click()
    await page.getByTestId('switch-user').getByText('Gil').waitFor()
    const names = await page.locator('#side [data-testid^=channel-]').allInnerTexts()
    expect(names).toEqual(['partners', 'Messages', 'Home'])
    await page.reload()
    await page.getByTestId('switch-user').getByText('Gil').waitFor()
  })

  test('a narrow screen has the channels in a drawer and the thread over everything', async () => {
    const { workspace, open, said } = stage
    await workspace.say(ana, general, 'root', {})
    const page = await open(ana, '', { viewport: { width: 390, height: 800 }, colorScheme: 'dark' })
    await page.getByTestId('menu').click()
    await page.getByTestId('channel-ops').click()
    await page.getByRole('heading', { name: 'ops', level: 1 }).waitFor()
    await page.getByTestId('menu').click()
    await page.getByTestId('channel-general').click()
    await said(page, 'root').hover()
    await said(page, 'root').getByTestId('reply').click()
    await page.getByTestId('thread-composer').waitFor()
    const { width } = (await page.getByTestId('thread').boundingBox()) ?? { width: 0 }
    expect(width).toBe(390)
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390)
    const paper = await page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
    expect(paper).toBe('rgb(21, 25, 26)')
  })

  test('a page that lost its server finds it again, and what was said meanwhile', async () => {
    await using temporary = await makeTemporary()
    const file = path.join(temporary.dir, 'said.jsonl')
    const before = await openStage(browser as Browser, { file })
    const page = await before.open(ana)
    await before.workspace.say(ana, general, 'said before')
    await before.said(page, 'said before').waitFor()
    await before.workspace.close()
    await page.getByText('Connecting to the workspace').waitFor()
    const port = Number(new URL(before.workspace.url).port)
    await using again = await openWorkspace({ file, port })
    expect(again.url).toBe(before.workspace.url)
    await again.say(ben, general, 'said meanwhile')
    await before.said(page, 'said meanwhile').waitFor()
    expect(await page.getByTestId('message').count()).toBe(2)
    await before.close()
  })
})
