/**
 * The pages of Connect. A link is shown privately to one person, once, and anybody who has it could otherwise link
 * their own account to that person's name in Slack. So a link alone does nothing: the page says for whom it is and
 * needs a press; the press counts only from this page, in this browser (a cookie no other site can send along); and
 * only the browser that pressed may bring the answer back, so that an address of the sign-in page that was sent on
 * to somebody else ends nowhere.
 */
import { randomBytes } from 'node:crypto'
import type { Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { getCookie, setCookie } from 'hono/cookie'
import { html } from 'hono/html'
import { openPages, page } from './page.ts'

type Refused = { ok: false; said: string }

export type ConnectHandlers = {
  /** Looks at a link and changes nothing. `name` is the person's in Slack, with the id, which nobody can choose. */
  see(
    ticket: string,
  ): Promise<{ ok: true; server: string; name: string; shared: boolean; scopes: string[] } | Refused>
  /** Uses a link up: where the browser must go. */
  start(ticket: string, browser: string): Promise<{ ok: true; address: URL } | Refused>
  /** The browser is back. */
  finish(
    answer: Partial<Record<'state' | 'code' | 'iss' | 'error', string>>,
    browser: string,
  ): Promise<{ ok: true; server: string } | Refused>
  /** Whether browsers reach us encrypted. */
  secure(): boolean
}

const COOKIE = 'quorum_connect'
const LONGEST = 4096

/** `/connect/:ticket` and `/connect/callback`. */
export function connectPages(on: ConnectHandlers): Hono {
  const broken = html`<p>Something went wrong on my side. Open App Home in Slack and try again.</p>`
  const app = openPages('/connect/*', { broken, forms: true })
  app.use('/connect/*', bodyLimit({ maxSize: LONGEST }))

  app.get('/connect/callback', async (c) => {
    const { state, code, iss, error } = c.req.query()
    const answer = { state, code, iss, error }
    const given = Object.entries(answer).filter(([, value]) => value !== undefined && value.length <= LONGEST)
    const done = await on.finish(Object.fromEntries(given), getCookie(c, COOKIE) ?? '')
    if (!done.ok) return refused(c, done)
    return page(c, 200, html`<h1>Connected.</h1><p>You can close this page.</p>`)
  })

  app.get('/connect/:ticket', async (c) => {
    const seen = await on.see(c.req.param('ticket'))
    if (!seen.ok) return refused(c, seen)
    const browser = getCookie(c, COOKIE) || randomBytes(24).toString('base64url')
    setCookie(c, COOKIE, browser, {
      httpOnly: true,
      sameSite: 'Lax',
      path: '/',
      maxAge: 1200,
      secure: on.secure(),
    })
    const { server, name, shared, scopes } = seen
    const more =
      scopes.length > 0 ? html`<p>It asks for further permissions: <b>${scopes.join(', ')}</b></p>` : ''
    const whose = shared
      ? html`<p>Everybody in the workspace will use the account that you sign in with, as <b>${server}</b>.</p>`
      : html`<p>Quorum will use the account that you sign in with when <b>${name}</b> asks for something in Slack.</p>`
    return page(
      c,
      200,
      html`<h1>Connect ${server} for ${name}</h1>${whose}${more}
        <p>If you are not ${name}, close this page: somebody else would act with your account.</p>
        <form method="post"><input type="hidden" name="browser" value="${browser}" />
        <button>I am ${name}: connect</button></form>`,
    )
  })

  app.post('/connect/:ticket', async (c) => {
    const browser = getCookie(c, COOKIE)
    const { browser: said } = await c.req.parseBody()
    if (!browser || said !== browser)
      return refused(c, {
        ok: false,
        said: 'This page needs cookies. Open the link again and press the button on it.',
      })
    const begun = await on.start(c.req.param('ticket'), browser)
    return begun.ok ? c.redirect(begun.address.href, 303) : refused(c, begun)
  })
  return app
}

function refused(c: Context, { said }: Refused) {
  return page(c, 400, html`<h1>Not connected</h1><p>${said}</p>`)
}
