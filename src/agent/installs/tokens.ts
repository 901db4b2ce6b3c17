/** The token of one installation as calls use it: opened from the store, renewed in time, by one process alone. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '../../core/fault.ts'
import { slackWord } from '../../slack/faults.ts'
import type { GrantedToken, SlackOAuth } from '../../slack/oauth.ts'
import type { Tokens } from '../../slack/token.ts'
import {
  aboutInstall,
  claimToken,
  type Install,
  readInstall,
  refuseToken,
  releaseToken,
  renewToken,
  resealToken,
} from '../../store/installs.ts'
import type { Seal } from '../../store/seal.ts'
import type { Db } from '../../store/transaction.ts'

export type TokensContext = {
  pool: Db
  seal: Seal
  oauth: Pick<SlackOAuth, 'renew'>
  log: (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void
}

/** In ms. */
const TIMES = {
  /** A token is renewed when this much of its life is left: time enough to try again, and for a person to look. */
  ahead: 2 * 3_600_000,
  /** What is kept in memory is read again after this: another process may have renewed it. */
  kept: 60_000,
  /** After renewing failed, the token is used on as long as it is good, and renewing rests. */
  rest: 60_000,
  /** One turn to renew lasts so long where its process dies; longer than Slack may take. */
  turn: 30_000,
  look: 100,
}

/** Words with which Slack says that it will never renew this. */
const FINAL = new Set(['invalid_refresh_token', 'invalid_grant', 'token_revoked', 'account_inactive'])

type Held = { install: Install; secret: GrantedToken; read: number }

/** Seals a token for the row of its installation. */
export function sealToken(
  seal: Seal,
  of: Pick<Install, 'holder' | 'id'>,
  { token, refresh }: GrantedToken,
): string {
  return seal.seal(JSON.stringify({ token, ...(refresh ? { refresh } : {}) }), aboutInstall(of))
}

/** Opens what an installation holds. `stale`: under an older key. @throws Fault config-invalid where no key fits */
export function openToken(seal: Seal, install: Install): GrantedToken & { stale: boolean } {
  if (!install.sealed) throw gone(install.holder)
  const { plain, stale } = seal.open(install.sealed, aboutInstall(install))
  return { ...JSON.parse(plain), stale }
}

/** @param installation its `id`: a later installation of the same holder is another one */
export function openTokens(context: TokensContext, holder: string, installation: string): Tokens {
  const { pool, seal } = context
  let held: Held | undefined
  let reading: Promise<Held> | undefined
  let renewing: Promise<void> | undefined
  let restUntil = 0

  async function read(): Promise<Held> {
    const install = await readInstall(pool, holder)
    if (install?.id !== installation) throw gone(holder)
    const secret = openToken(seal, install)
    if (secret.stale) await resealToken(pool, install, sealToken(seal, install, secret))
    held = { install, secret, read: Date.now() }
    return held
  }
  const readAnew = () => {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }
  const known = async () => (held && Date.now() < held.read + TIMES.kept ? held : readAnew())
  /** Renews once for everybody in this process who asks meanwhile. */
  const renewOnce = (of: Held) => {
    renewing ??= renew(context, of).finally(() => {
      held = undefined
      renewing = undefined
    })
    return renewing
  }

  return {
    async now() {
      const found = await known()
      const left = leftOf(found)
      if (left > TIMES.ahead || !found.secret.refresh || found.install.state === 'refused')
        return found.secret.token
      if (left > 0 && Date.now() < restUntil) return found.secret.token
      try {
        await renewOnce(found)
      } catch (error) {
        if (left <= 0) throw error
        restUntil = Date.now() + TIMES.rest
        const why = error instanceof Error ? error.message : String(error)
        context.log('warn', 'a token of Slack could not be renewed yet; the old one is used on', {
          holder,
          why,
        })
        return found.secret.token
      }
      return (await known()).secret.token
    },
    async refused(word) {
      const before = held?.install.version
      const found = await readAnew()
      if (found.install.version !== before) return true
      if (word !== 'token_expired' || !found.secret.refresh || found.install.state === 'refused') return false
      await renewOnce(found)
      return (await known()).install.version !== before
    },
  }
}

/** How long a token is still good, in ms; those that do not end are good for ever. */
function leftOf({ install }: Held): number {
  return install.expiresAt ? install.expiresAt.getTime() - Date.now() : Number.POSITIVE_INFINITY
}

/**
 * Renews a token, or waits for whoever does where it is not good any more. A refresh token is good once: it is sent by
 * the one process alone that has the turn.
 */
async function renew(context: TokensContext, held: Held): Promise<void> {
  const { pool, seal, oauth, log } = context
  const { install, secret } = held
  const { holder, version } = install
  const end = Date.now() + TIMES.turn + 5_000
  while (!(await claimToken(pool, install, TIMES.turn))) {
    if (leftOf(held) > 0) return
    const now = await readInstall(pool, holder)
    if (!now || now.id !== install.id || now.version !== version || now.state !== 'installed') return
    if (Date.now() > end)
      throw new Fault('slack-unreachable', `The token of ${holder} was not renewed in time.`, { retry: true })
    await sleep(TIMES.look)
  }
  let next: GrantedToken
  try {
    next = await oauth.renew(secret.refresh ?? '')
  } catch (error) {
    if (!FINAL.has(slackWord(error) ?? '')) {
      await releaseToken(pool, install)
      throw error
    }
    await refuseToken(pool, install)
    log('error', 'Slack renews its token no more: install Quorum there again', {
      holder,
      name: install.name,
      until: install.expiresAt?.toISOString(),
    })
    return
  }
  if (!(await renewToken(pool, install, sealToken(seal, install, next), next.seconds)))
    log('warn', 'a token was renewed for an installation that ended meanwhile', { holder })
}

function gone(holder: string): Fault {
  return new Fault('slack-token', `Quorum is not installed in ${holder} any more.`)
}
