/**
 * The pages on which Quorum is installed into a Slack. The first sends the browser on to Slack's own page, where a
 * person reads what is asked for and agrees; only the browser that began may bring the answer back (a cookie no other
 * site can send along), so that nobody can be made to finish what somebody else began.
 */
import type { Context, Hono } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { html } from 'hono/html'
import { openPages, page } from './page.ts'

type Refused = { ok: false; said: string }

export type InstallHandlers = {
  /** Where the browser must go. `invitation` is what its link holds. */
  begin(invitation: string | undefined, browser: string): { ok: true; address: string } | Refused
  /** The browser is back. */
  finish(
    answer: Partial<Record<'state' | 'code' | 'error', string>>,
    browser: string,
  ): Promise<{ ok: true; name: string; app: string; holder: string } | Refused>
  newBrowser(): string
  /** Whether browsers reach us encrypted. */
  secure(): boolean
}

const COOKIE = 'quorum_install'
const LONGEST = 8192

/** `/slack/install` and `/slack/oauth_redirect`. */
export function installPages(on: InstallHandlers): Hono {
  const broken = html`<h1>Not installed</h1><p>Something went wrong on my side. Open the link once more.</p>`
  const app = openPages('/slack/*', { broken, forms: false })

  app.get('/slack/install', (c) => {
    const browser = getCookie(c, COOKIE) || on.newBrowser()
    const begun = on.begin(c.req.query('invitation'), browser)
    if (!begun.ok) return refused(c, begun)
    setCookie(c, COOKIE, browser, {
      httpOnly: true,
      sameSite: 'Lax',
      path: '/slack',
      maxAge: 1200,
      secure: on.secure(),
    })
    return c.redirect(begun.address, 302)
  })

  app.get('/slack/oauth_redirect', async (c) => {
    const { state, code, error } = c.req.query()
    const answer = { state, code, error }
    const given = Object.entries(answer).filter(([, value]) => value !== undefined && value.length <= LONGEST)
    const done = await on.finish(Object.fromEntries(given), getCookie(c, COOKIE) ?? '')
    if (!done.ok) return refused(c, done)
    const { name, app: id, holder } = done
    if (holder.startsWith('E')) {
      const add = `https://app.slack.com/manage/${holder}/integrations/profile/${id}/workspaces/add`
      return page(
        c,
        200,
        html`<h1>Installed in ${name}.</h1>
          <p>An administrator now <a href="${add}">adds it to workspaces</a>; it answers in each within a minute.</p>`,
      )
    }
    const open = `https://slack.com/app_redirect?${new URLSearchParams({ app: id, team: holder })}`
    return page(
      c,
      200,
      html`<h1>Installed in ${name}.</h1>
        <p>Invite it to a channel and mention it, or <a href="${open}">write to it in Slack</a>.</p>`,
    )
  })
  return app
}

function refused(c: Context, { said }: Refused) {
  return page(c, 400, html`<h1>Not installed</h1><p>${said}</p>`)
}
