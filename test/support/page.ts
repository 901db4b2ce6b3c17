/** The local workspace, a bot connected to it, and people who look at it in a real browser. */
import { SocketModeClient } from '@slack/socket-mode'
import { WebClient } from '@slack/web-api'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { openWorkspace, type WorkspaceOptions } from '../../src/demo/workspace/open.ts'
import { listenForComplaints } from './browser.ts'

type Payload = {
  trigger_id: string
  command?: string
  text?: string
  event?: { type: string }
  actions?: { action_id: string; value?: string }[]
  view?: { state: { values: Record<string, Record<string, Record<string, unknown>>> } }
}

export const ana = 'U0ANA'
export const ben = 'U0BEN'
export const general = 'C0GENERAL'

/** Opens everything; `close` throws nothing, `complaints` must be empty at the end. */
export async function openStage(browser: Browser, options: WorkspaceOptions = {}) {
  const workspace = await openWorkspace({ ackMs: 1500, ...options })
  const slack = { slackApiUrl: workspace.apiUrl }
  const bot = new WebClient(workspace.botToken, slack)
  const socket = new SocketModeClient({ appToken: workspace.appToken, clientOptions: slack })
  const heard: Payload[] = []
  const complaints: string[] = []
  const pages: Page[] = []
  const app = { acknowledges: true }
  socket.on('slack_event', async ({ ack, type, body }) => {
    heard.push(body)
    if (app.acknowledges || type === 'events_api') await ack()
  })
  await socket.start()

  /** A person's page, connected; `where` is what follows the address, such as `#ops`. */
  async function open(as: string, where = '', view: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 800 },
      reducedMotion: 'reduce',
      ...view,
    })
    context.setDefaultTimeout(8_000)
    const page = await context.newPage()
    pages.push(page)
    listenForComplaints(page, complaints)
    await page.goto(`${workspace.url}/?as=${as}${where}`)
    await page.getByTestId('switch-user').waitFor({ state: 'attached' })
    await page.getByText('Connecting to the workspace').waitFor({ state: 'detached' })
    return page
  }

  return {
    workspace,
    bot,
    heard,
    complaints,
    app,
    open,
    /** The messages on a page that hold a text. */
    said: (page: Page, text: string): Locator => page.getByTestId('message').filter({ hasText: text }),
    /** Waits until an action reached the app. */
    pressed: (action: string) =>
      workspace.until(() =>
        heard.flatMap((body) => body.actions ?? []).find(({ action_id }) => action_id === action),
      ),
    /** The bot writes to #general; gives the ts. */
    async post(text: string, blocks?: object[], thread?: string): Promise<string> {
      const where = { channel: general, text, ...(thread ? { thread_ts: thread } : {}) }
      const answer = await bot.chat.postMessage({ ...where, ...(blocks ? { blocks: blocks as never } : {}) })
      return String(answer.ts)
    },
    async close() {
      for (const page of pages) await page.context().close()
      await socket.disconnect()
      await workspace.close()
    },
  }
}
export type Stage = Awaited<ReturnType<typeof openStage>>

/** A block of buttons. */
export const actions = (...buttons: object[]) => [{ type: 'actions', elements: buttons }]

export const button = (text: string, action_id: string, more = {}) => ({
  type: 'button',
  text: { type: 'plain_text', text },
  action_id,
  value: `${action_id}-value`,
  ...more,
})
