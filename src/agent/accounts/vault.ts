/** Accounts as tools use them, sealed in the store. */
import { randomUUID } from 'node:crypto'
import {
  aboutCredential,
  type Credential,
  claimRenewal,
  expireCredential,
  type Place,
  readConnected,
  readCredential,
  releaseRenewal,
  renewCredential,
  resealCredential,
  saveCredential,
} from '../../store/credentials.ts'
import type { Seal } from '../../store/seal.ts'
import type { Db } from '../../store/transaction.ts'
import { type Account, type Holder, TURN_MS, type Vault } from '../../tools/access.ts'
import type { Grant, OAuthServer } from '../../tools/oauth.ts'

/** Where the account of a holder lies. */
export function placeOf(server: Pick<OAuthServer, 'name' | 'url'>, { workspace, person }: Holder): Place {
  return { workspace, server: server.name, person, resource: server.url.href }
}

/** Accounts over the store; each is sealed again with the newest key when it is used. */
export function openVault(db: Db, seal: Seal): Vault {
  const rowOf = ({ id, version, state }: Account): Credential => ({ id, version, state, sealed: '' })
  return {
    async load(server, holder) {
      const place = placeOf(server, holder)
      const found = await readCredential(db, place)
      return found && openAccount(db, seal, place, found)
    },
    claim: (server, holder, account) => claimRenewal(db, placeOf(server, holder), rowOf(account), TURN_MS),
    async renew(server, holder, account, grant) {
      const place = placeOf(server, holder)
      await renewCredential(db, place, rowOf(account), sealGrant(seal, place, grant))
    },
    release: (server, holder, account) => releaseRenewal(db, placeOf(server, holder), rowOf(account)),
    expire: (server, holder, account) => expireCredential(db, placeOf(server, holder), rowOf(account)),
    async holders(server, workspace) {
      return readConnected(db, { server: server.name, resource: server.url.href, workspace })
    },
  }
}

/** A new account: another Connect, perhaps with another account there. */
export async function keepGrant(db: Db, seal: Seal, place: Place, grant: Grant): Promise<void> {
  await saveCredential(db, place, randomUUID(), sealGrant(seal, place, grant))
}

/** Opens a row. @throws Fault config-invalid where no key fits */
export async function openAccount(db: Db, seal: Seal, place: Place, row: Credential): Promise<Account> {
  const { id, version, state, sealed } = row
  const { plain, stale } = seal.open(sealed, aboutCredential(place))
  if (stale) await resealCredential(db, place, row, seal.seal(plain, aboutCredential(place)))
  return { id, version, state, grant: JSON.parse(plain) as Grant }
}

function sealGrant(seal: Seal, place: Place, grant: Grant): string {
  return seal.seal(JSON.stringify(grant), aboutCredential(place))
}
