/** Being installed into a workspace or an organisation: the invitation, the way through a browser, the way back. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type pg from 'pg'
import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import type { Granted, SlackOAuth } from '../../slack/oauth.ts'
import { putWorkspace, readInstall, saveInstall, spend } from '../../store/installs.ts'
import type { Seal } from '../../store/seal.ts'
import { inTransaction } from '../../store/transaction.ts'
import { sealToken } from './tokens.ts'

export type InstallContext = {
  pool: pg.Pool
  seal: Seal
  oauth: SlackOAuth
  /** Where browsers reach us, without a slash at the end. */
  base: () => string
  /** What we need to be allowed. */
  scopes: readonly string[]
  /** Whether a workspace is served already, by whatever token: it needs no invitation. */
  isServed: (workspace: string) => boolean
  /** A workspace is there, or is there anew: somebody may look. */
  poke: () => void
  log: (level: 'info' | 'warn', message: string, fields?: Record<string, unknown>) => void
}

/** A person may take so long on Slack's page, in ms. */
const PATIENCE_MS = 10 * 60_000

/** What travels through a browser, sealed: nobody can make or change it, and each is good once. */
const Passing = z.object({ nonce: z.string(), until: z.number() })
const Invitation = Passing
const State = Passing.extend({ browser: z.string(), invitation: Invitation.optional() })

const about = { invitation: ['install', 'invitation'], state: ['install', 'state'] }

export type Refused = { ok: false; said: string }
export type Installed = { ok: true; name: string; app: string; holder: string }

/** The address that one workspace, or one organisation, may be installed by, for so many ms. */
export function inviteLink({ seal, base }: Pick<InstallContext, 'seal' | 'base'>, ms: number): string {
  const passing: z.infer<typeof Invitation> = { nonce: randomUUID(), until: Date.now() + ms }
  return `${base()}/slack/install?invitation=${seal.seal(JSON.stringify(passing), about.invitation)}`
}

/** Where the browser must go; nothing is kept here. `browser` is what this browser alone has. */
export function beginInstall(
  { seal, oauth, base, scopes }: Pick<InstallContext, 'seal' | 'oauth' | 'base' | 'scopes'>,
  { invitation, browser }: { invitation?: string | undefined; browser: string },
): { ok: true; address: string } | Refused {
  const invited = invitation === undefined ? undefined : open(seal, invitation, about.invitation, Invitation)
  if (invitation !== undefined && !invited) return refuse(OLD_INVITATION)
  const state: z.infer<typeof State> = {
    nonce: randomUUID(),
    until: Date.now() + PATIENCE_MS,
    browser: hashOf(browser),
    ...(invited ? { invitation: invited } : {}),
  }
  const sealed = seal.seal(JSON.stringify(state), about.state)
  return { ok: true, address: oauth.address({ state: sealed, redirect: redirectOf(base), scopes }) }
}

/** The browser is back from Slack's page. */
export async function finishInstall(
  context: InstallContext,
  answer: { state?: string | undefined; code?: string | undefined; error?: string | undefined },
  browser: string,
): Promise<Installed | Refused> {
  const { pool, seal, oauth, base, log } = context
  const state = open(seal, answer.state ?? '', about.state, State)
  if (!state) return refuse(UNKNOWN)
  if (state.browser !== hashOf(browser)) return refuse(OTHER_BROWSER)
  if (!(await spend(pool, state.nonce, secondsUntil(state.until)))) return refuse(USED)
  if (answer.error === 'access_denied') return refuse(DENIED)
  if (!answer.code)
    return refuse(`Slack did not install it (${answer.error?.slice(0, 100) ?? 'no answer'}). ${ANEW}`)
  try {
    const granted = await oauth.exchange(answer.code, redirectOf(base))
    const kept = await keep(context, granted, state.invitation)
    if (kept === 'uninvited') {
      await oauth.leave(granted.token)
      log('warn', 'somebody without an invitation installed the app; it was removed again', {
        holder: granted.holder,
        name: granted.name,
      })
      return refuse(uninvited(granted))
    }
    const { name, app, holder } = granted
    log('info', 'the app was installed', { holder, name, by: granted.person })
    context.poke()
    return { ok: true, name, app, holder }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    log('warn', 'the app could not be installed', { why: error.message })
    return refuse(`${error.message} ${ANEW}`)
  }
}

/** Keeps an installation of somebody who was invited, now or before. */
async function keep(
  { pool, seal, oauth, isServed }: InstallContext,
  granted: Granted,
  invitation: z.infer<typeof Invitation> | undefined,
): Promise<'kept' | 'uninvited'> {
  const { holder, name, app, person } = granted
  const teams = holder.startsWith('E') ? await oauth.teams(granted.token) : [{ id: holder, name }]
  const id = randomUUID()
  return inTransaction(pool, async (tx) => {
    // Whoever is or was here needs no invitation, and does not use one up.
    const known = isServed(holder) || (await readInstall(tx, holder)) !== undefined
    const invited = invitation !== undefined && invitation.until > Date.now()
    if (!known && !(invited && (await spend(tx, invitation.nonce, secondsUntil(invitation.until)))))
      return 'uninvited'
    const sealed = sealToken(seal, { holder, id }, granted)
    await saveInstall(tx, { holder, name, app, person, id, sealed }, granted.seconds)
    for (const team of teams) await putWorkspace(tx, { workspace: team.id, name: team.name, holder })
    return 'kept'
  })
}

/** A fresh name for a browser. */
export function newBrowser(): string {
  return randomBytes(24).toString('base64url')
}

/** What was sealed, where it is ours and its time is not over. */
function open<T extends z.infer<typeof Passing>>(
  seal: Seal,
  sealed: string,
  what: readonly string[],
  shape: z.ZodType<T>,
): T | undefined {
  try {
    const read = shape.parse(JSON.parse(seal.open(sealed, what).plain))
    return read.until > Date.now() ? read : undefined
  } catch {
    return undefined
  }
}

const redirectOf = (base: () => string) => `${base()}/slack/oauth_redirect`
const hashOf = (text: string) => createHash('sha256').update(text).digest('base64url')
const secondsUntil = (until: number) => (until - Date.now()) / 1000

function refuse(said: string): Refused {
  return { ok: false, said }
}

function uninvited({ name, holder }: Granted): string {
  return `${name} (${holder}) was not invited, so Quorum was removed from it again. Whoever runs this Quorum can send you a link: quorum workspaces invite`
}

const ANEW = 'Open the link that you were sent once more.'
const OLD_INVITATION = 'This link is not good, or not any more. Ask whoever runs this Quorum for another one.'
const UNKNOWN = `This answer is not one that I wait for, or it came too late. ${ANEW}`
const USED = `This answer was used already. ${ANEW}`
const OTHER_BROWSER = `This did not begin in this browser, so nothing was installed. ${ANEW}`
const DENIED = `You did not agree, so nothing was installed. ${ANEW}`
