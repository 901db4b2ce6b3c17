import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { actions, ana, button, openStage, type Stage } from '../support/page.ts'
import { everyInput, everyMessage } from '../support/page-blocks.ts'

const browser = await openBrowser()
afterAll(() => browser?.close())

describe.skipIf(!browser)('blocks on the page', () => {
  let stage: Stage
  beforeEach(async () => {
    stage = await openStage(browser as Browser)
  })
  afterEach(async () => {
    await stage.close()
    expect(stage.complaints).toEqual([])
  })

  test('every block is drawn, and text stays text wherever it stands', async () => {
    const { bot, heard, open, pressed, post } = stage
    const page = await open(ana)
    const evil = '<img src=x onerror=pwned=1><script>pwned=1</script>"\'><svg onload=pwned=1>:constructor:'
    for (const blocks of everyMessage(evil)) await post(evil, blocks)
    await post(evil)
    await page.getByTestId('message').nth(7).waitFor()
    expect(await page.getByText('unsupported block').allInnerTexts()).toEqual([
      'unsupported block: data_visualization',
    ])
    expect(await page.getByText('broken block').count()).toBe(0)
    await page.getByTestId('button-ask').click()
    await page.getByTestId('confirm').getByRole('heading').getByText(evil.slice(0, 20)).waitFor()
    await page.getByTestId('confirm-yes').click()
    await pressed('ask')
    await bot.views.open({
      trigger_id: String(heard.at(-1)?.trigger_id),
      view: everyInput(evil) as never,
    })
    await page.getByTestId('modal').waitFor()
    const found = await page.evaluate<{ pwned: boolean; made: number; links: string[] }>(`({
      pwned: 'pwned' in globalThis,
      made: document.querySelectorAll('[onerror], [onload], img[src="x"], #main script').length,
      links: [...document.querySelectorAll('#main a')].map((a) => a.getAttribute('href')),
    })`)
    expect(found).toMatchObject({ pwned: false, made: 0 })
    expect(new Set(found.links)).toEqual(new Set(['https://example.com/']))
    const drawn = String(await page.locator('#main').textContent())
    expect(drawn.split('<img src=x onerror=pwned=1>').length).toBeGreaterThan(30)
  })

  test('only safe addresses become links', async () => {
    const { open, said, post } = stage
    const page = await open(ana)
    const bad = [
      'javascript:alert(1)',
      'data:text/html,x',
      'vbscript:x',
      'file:///etc/passwd',
      '//example.com',
    ]
    const links = bad.map((url) => ({ type: 'link', url, text: `rich ${url}` }))
    await post('x', [
      { type: 'rich_text', elements: [{ type: 'rich_text_section', elements: links }] },
      { type: 'markdown', text: bad.map((url) => `[mark ${url}](${url})`).join(' ') },
      { type: 'section', text: { type: 'mrkdwn', text: bad.map((url) => `<${url}|slack>`).join(' ') } },
      { type: 'section', text: { type: 'mrkdwn', text: '<https://example.com/ok|fine>' } },
    ])
    await said(page, 'fine').waitFor()
    const anchors = page.locator('#main a')
    expect(await anchors.count()).toBe(1)
    expect(await anchors.getAttribute('rel')).toBe('noopener noreferrer')
    expect(await anchors.getAttribute('target')).toBe('_blank')
  })

  test('a modal opens, is filled in and sent; another is read and closed with Escape', async () => {
    const { workspace, bot, heard, open, pressed, post } = stage
    const page = await open(ana)
    await post('card', actions(button('Open', 'open')))
    await page.getByTestId('button-open').click()
    await pressed('open')
    const view = everyInput('Field')
    await bot.views.open({ trigger_id: String(heard.at(-1)?.trigger_id), view: view as never })
    const modal = page.getByTestId('modal')
    await modal.getByTestId('input-it').first().fill('typed')
    await modal.locator('select').selectOption('b')
    await modal.getByRole('checkbox').nth(1).check()
    await modal.getByRole('radio').first().check()
    await page.getByTestId('modal-submit').click()
    const sent = await workspace.until(() => heard.find(({ view }) => view)?.view)
    expect(sent.state.values).toMatchObject({
      words: { it: { value: 'typed' } },
      lines: { it: { value: 'Field' } },
      one: { it: { selected_option: { value: 'b' } } },
      some: { it: { selected_options: [{ value: 'b' }] } },
      either: { it: { selected_option: { value: 'a' } } },
      several: { it: { selected_options: [{ value: 'a' }] } },
      moment: { it: { selected_date_time: 1_800_000_000 } },
      mail: { it: { value: 'ana@example.com' } },
      page: { it: { value: 'https://example.com/x' } },
    })
    await modal.waitFor({ state: 'detached' })
    await page.getByTestId('button-open').click()
    const trigger = await workspace.until(() => heard.filter((body) => body.actions)[1]?.trigger_id)
    await bot.views.open({ trigger_id: trigger, view: { ...view, submit: undefined, blocks: [] } as never })
    await modal.waitFor()
    await page.keyboard.press('Escape')
    await modal.waitFor({ state: 'detached' })
    await workspace.until(() => workspace.views(ana).length === 0)
  })

  test('a growing answer is seen as it grows', async () => {
    const { workspace, bot, open, said } = stage
    const page = await open(ana)
    const root = await workspace.say(ana, workspace.dm(ana), 'question')
    await page.getByTestId('channel-dm').click()
    await said(page, 'question').waitFor()
    const stream = bot.chatStream({ channel: workspace.dm(ana), thread_ts: root, buffer_size: 1 })
    await stream.append({ markdown_text: 'It grows **bold' })
    await page.getByTestId('thread').locator('.streaming').waitFor()
    await stream.append({ markdown_text: '** to the end.' })
    await page.getByTestId('thread').locator('strong', { hasText: 'bold' }).waitFor()
    await stream.stop()
    await page.getByTestId('thread').locator('.streaming').waitFor({ state: 'detached' })
  })
})
