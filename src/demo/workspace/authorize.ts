/** Slack's page on which a person allows an app into their workspace, or into their whole organisation. */
import { randomBytes } from 'node:crypto'
import type { App } from './app.ts'

const CODE_MS = 10 * 60_000

type Page = { status: number; html: string } | { redirect: string }

/** `GET /oauth/v2/authorize`: asks; nothing happens before a press. */
export function showAuthorize(app: App, query: URLSearchParams): Page {
  const wrong = findWrong(app, query)
  if (wrong) return refuse(wrong)
  const scopes = (query.get('scope') ?? '').split(/[\s,]+/).filter(Boolean)
  const choices = app.members.flatMap(({ hub: { world } }) => [
    [world.team.id, world.team.name],
    ...(world.enterprise ? [[world.enterprise.id, `${world.enterprise.name} (the whole organisation)`]] : []),
  ])
  const fields = ['client_id', 'scope', 'state', 'redirect_uri'].map((name) =>
    hidden(name, query.get(name) ?? ''),
  )
  const options = [...new Map(choices.map(([id = '', name = '']) => [id, name]))].map(
    ([id, name]) =>
      `<option value="${asHtml(id)}"${id === query.get('team') ? ' selected' : ''}>${asHtml(name)}</option>`,
  )
  const html = `<!doctype html><meta charset="utf-8"><title>Slack (local)</title><h1>Quorum wants to join your workspace</h1>
<p>It will be able to: ${asHtml(scopes.join(', '))}</p><form method="post">${fields.join('')}
<select name="team">${options.join('')}</select><button name="answer" value="allow">Allow</button>
<button name="answer" value="deny">Cancel</button></form>`
  return { status: 200, html }
}

/** `POST /oauth/v2/authorize`: the press. `user` is who pressed; an admin where it is left out. */
export function takeAuthorize(app: App, form: URLSearchParams): Page {
  const wrong = findWrong(app, form)
  if (wrong) return refuse(wrong)
  const given = form.get('redirect_uri') ?? ''
  const back = new URL(given || (app.redirects[0] ?? ''))
  const state = form.get('state')
  if (state) back.searchParams.set('state', state)
  if (form.get('answer') !== 'allow') {
    back.searchParams.set('error', 'access_denied')
    return { redirect: back.href }
  }
  const wanted = form.get('team') ?? ''
  const org = wanted.startsWith('E')
  const member = org
    ? app.members.find(({ hub }) => hub.world.enterprise?.id === wanted)
    : app.members.find(({ hub }) => hub.world.team.id === wanted)
  if (!member) return refuse('There is no such workspace.')
  const code = randomBytes(24).toString('hex')
  const scopes = (form.get('scope') ?? '').split(/[\s,]+/).filter(Boolean)
  const user = form.get('user') ?? 'U0CHLOE'
  app.codes.set(code, { for: member.hub, org, user, scopes, redirect: given, until: Date.now() + CODE_MS })
  back.searchParams.set('code', code)
  return { redirect: back.href }
}

function findWrong(app: App, asked: URLSearchParams): string | undefined {
  if (asked.get('client_id') !== app.clientId) return 'Invalid client_id parameter'
  if (!asked.get('scope')) return 'Invalid permissions requested'
  const redirect = asked.get('redirect_uri') ?? ''
  const allowed = app.redirects.some((one) => redirect === one || redirect.startsWith(`${one}/`))
  if (redirect === '' ? app.redirects.length === 0 : !allowed)
    return `redirect_uri did not match any configured URIs. Passed URI: ${redirect}`
  return undefined
}

function refuse(why: string): Page {
  return {
    status: 400,
    html: `<!doctype html><meta charset="utf-8"><title>Slack (local)</title><p>${asHtml(why)}</p>`,
  }
}

function hidden(name: string, value: string): string {
  return `<input type="hidden" name="${name}" value="${asHtml(value)}">`
}

function asHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
