/** A person at a browser who installs Quorum: the link, Slack's page, and the way back. */
import { inviteLink } from '../../src/agent/installs/install.ts'
import type { Workspace } from '../../src/demo/workspace/open.ts'
import { sealFor } from '../../src/doors/install.ts'
import type { Stage } from './stage.ts'

/** Where the stage's pages are. */
export function baseOf(stage: Pick<Stage, 'serving'>): string {
  return `http://127.0.0.1:${stage.serving().port}`
}

/** A link for one workspace, as `quorum workspaces invite` prints it. */
export function invite(stage: Stage, ms = 60_000): string {
  return inviteLink({ seal: sealFor(stage.engines), base: () => baseOf(stage) }, ms)
}

export type Page = { status: number; text: string }
type Step = { cookie: string; location: string }

/** Opens a link: the browser is sent to Slack's page. Where it is not, the page that says why. */
export async function openLink(link: string): Promise<Step | Page> {
  const opened = await fetch(link, { redirect: 'manual' })
  const location = opened.headers.get('location')
  if (!location) return { status: opened.status, text: await opened.text() }
  return { cookie: opened.headers.get('set-cookie')?.split(';')[0] ?? '', location }
}

/** Presses Allow (or Cancel) on Slack's page, for a workspace or an organisation: where the browser is sent back to. */
export async function press(
  location: string,
  team: string,
  answer: 'allow' | 'deny' = 'allow',
): Promise<string> {
  const asked = new URL(location)
  const form = new URLSearchParams([...asked.searchParams, ['team', team], ['answer', answer]])
  const page = new URL(asked.pathname, asked)
  const pressed = await fetch(page, { method: 'POST', body: form, redirect: 'manual' })
  return pressed.headers.get('location') ?? ''
}

/** Follows the way back. */
export async function comeBack(address: string, cookie: string): Promise<Page> {
  const page = await fetch(address, { headers: { cookie } })
  return { status: page.status, text: await page.text() }
}

/** Goes the way of a link: `team`, a workspace or an organisation, is installed where its page allows it. */
export async function follow(link: string, workspace: Workspace, team = workspace.team): Promise<Page> {
  workspace.allowRedirect(new URL('oauth_redirect', link).href)
  const opened = await openLink(link)
  if ('status' in opened) return opened
  return comeBack(await press(opened.location, team), opened.cookie)
}

/** The same with a fresh link of the stage's. */
export function installIn(
  stage: Stage,
  workspace: Workspace,
  { link = invite(stage), team = workspace.team } = {},
): Promise<Page> {
  return follow(link, workspace, team)
}
