import { expect, test } from 'vitest'
import { connectPages } from '../../src/web/connect.ts'
import { installPages } from '../../src/web/install.ts'

const broken = async () => {
  throw new Error('token xoxb-secret')
}

const install = installPages({
  begin: () => ({ ok: true, address: 'https://slack.com/oauth' }),
  finish: broken,
  newBrowser: () => 'browser',
  secure: () => true,
})
const connect = connectPages({
  see: async () => ({ ok: true, server: '<b>', name: 'Ana', shared: false, scopes: [] }),
  start: broken,
  finish: broken,
  secure: () => true,
})

test('no page is kept, framed, or may load or run anything; only the one with a form may send one', async () => {
  for (const [pages, path, forms] of [
    [install, '/slack/install', false],
    [install, '/slack/oauth_redirect?state=x', false],
    [connect, '/connect/ticket', true],
    [connect, '/connect/callback?state=x', true],
  ] as const) {
    const { headers } = await pages.request(path)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    const policy = headers.get('content-security-policy')
    expect(policy).toMatch(/default-src 'none';.*frame-ancestors 'none'/)
    expect(policy?.includes("form-action 'none'")).toBe(!forms)
  }
})

test('what goes wrong is said without what went wrong, and names of others are text', async () => {
  for (const [pages, path] of [
    [install, '/slack/oauth_redirect?state=x'],
    [connect, '/connect/callback?state=x'],
  ] as const) {
    const answer = await pages.request(path)
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toContain('xoxb')
  }
  const page = await connect.request('/connect/ticket')
  expect(await page.text()).toContain('Connect &lt;b&gt; for Ana')
})

test('the cookie of a browser is out of reach for scripts and for other sites, and only sent encrypted', async () => {
  for (const [pages, path] of [
    [install, '/slack/install'],
    [connect, '/connect/ticket'],
  ] as const) {
    const cookie = (await pages.request(path)).headers.get('set-cookie') ?? ''
    for (const word of ['HttpOnly', 'Secure', 'SameSite=Lax']) expect(cookie).toContain(word)
  }
})
