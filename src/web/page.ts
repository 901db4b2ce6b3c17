/** Pages that people see in a browser: nothing is kept of them, framed, or sent elsewhere. */
import { type Context, Hono } from 'hono'
import { html } from 'hono/html'

/** What is on a page: made by Hono's `html`, which makes text safe. */
type Body = ReturnType<typeof html>

/**
 * Pages under a path. `broken` is what a person reads where something went wrong. `forms`: a form of theirs may be sent;
 * to where is not said, for browsers hold what such an answer redirects to against it as well.
 */
export function openPages(path: string, { broken, forms }: { broken: Body; forms: boolean }): Hono {
  const app = new Hono()
  const form = forms ? '' : " form-action 'none';"
  app.use(path, async (c, next) => {
    await next()
    c.header('cache-control', 'no-store')
    c.header('referrer-policy', 'no-referrer')
    c.header('x-content-type-options', 'nosniff')
    c.header(
      'content-security-policy',
      `default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';${form} frame-ancestors 'none'`,
    )
  })
  app.onError((_, c) => page(c, 500, broken))
  return app
}

export function page(c: Context, status: 200 | 400 | 500, body: Body) {
  const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}
    h1{font-size:1.4rem}button{font:inherit;padding:.5rem 1rem;cursor:pointer}`
  return c.html(
    html`<!doctype html><html lang="en"><meta charset="utf-8" />
      <meta name="viewport" content="width=device-width" /><title>Quorum</title>
      <style>${style}</style>${body}</html>`,
    status,
  )
}
