/** Where the app is installed: by whom, for which workspaces, and with which token, sealed. */
import type { Db, Tx } from './transaction.ts'

/** `holder`: the workspace (T…) or the organisation (E…) that a token is for. */
export type Install = {
  holder: string
  name: string
  app: string
  person: string
  state: 'installed' | 'refused' | 'removed'
  /** New for every installation. */
  id: string
  /** Of the token: new for every renewal. */
  version: number
  /** Absent once the app was removed. */
  sealed: string | null
  expiresAt: Date | null
  installedAt: Date
}

const COLUMNS = `holder, name, app, person, state, id, version, sealed, expires_at as "expiresAt",
  installed_at as "installedAt"`

/** The row a sealed token is bound to. */
export function aboutInstall({ holder, id }: Pick<Install, 'holder' | 'id'>): string[] {
  return ['install', holder, id]
}

/** The app was installed: what it had there before is forgotten. `seconds` is how long the token is good. */
export async function saveInstall(
  tx: Tx,
  install: Pick<Install, 'holder' | 'name' | 'app' | 'person' | 'id'> & { sealed: string },
  seconds: number | undefined,
): Promise<void> {
  const { holder, name, app, person, id, sealed } = install
  await tx.query(
    `insert into installs (holder, name, app, person, state, id, sealed, expires_at)
     values ($1, $2, $3, $4, 'installed', $5, $6, now() + $7 * interval '1 second')
     on conflict (holder) do update set name = $2, app = $3, person = $4, state = 'installed', id = $5, version = 1,
       sealed = $6, expires_at = excluded.expires_at, renewing_until = null, installed_at = now()`,
    [holder, name, app, person, id, sealed, seconds ?? null],
  )
}

export async function readInstall(db: Db, holder: string): Promise<Install | undefined> {
  const found = await db.query<Install>(`select ${COLUMNS} from installs where holder = $1`, [holder])
  return found.rows[0]
}

export async function listInstalls(db: Db): Promise<Install[]> {
  return (await db.query<Install>(`select ${COLUMNS} from installs order by holder`)).rows
}

/** A workspace that is to be served, and the installation it is served with. */
export type Served = { workspace: string; name: string; holder: string; id: string }

export async function listServed(db: Db): Promise<Served[]> {
  const found = await db.query<Served>(
    `select w.workspace, w.name, w.holder, i.id from workspaces w join installs i using (holder)
     where i.state <> 'removed' order by w.workspace`,
  )
  return found.rows
}

/** Whose token a workspace is served with; undefined where no installation is for it. */
export async function holderOf(db: Db, workspace: string): Promise<string | undefined> {
  const found = await db.query<{ holder: string }>('select holder from workspaces where workspace = $1', [
    workspace,
  ])
  return found.rows[0]?.holder
}

/** Gives a workspace to a holder; one that another had before is taken from it. */
export async function putWorkspace(
  db: Db,
  { workspace, name, holder }: Pick<Served, 'workspace' | 'name' | 'holder'>,
): Promise<void> {
  await db.query(
    `insert into workspaces (workspace, name, holder) values ($1, $2, $3)
     on conflict (workspace) do update set name = $2, holder = $3`,
    [workspace, name, holder],
  )
}

/** Takes from a holder all its workspaces, or of these alone some; gives those it had. */
export async function dropWorkspaces(
  db: Db,
  holder: string,
  { among, except = [] }: { among?: readonly string[]; except?: readonly string[] } = {},
): Promise<string[]> {
  const gone = await db.query<{ workspace: string }>(
    `delete from workspaces where holder = $1 and ($2::text[] is null or workspace = any($2))
       and not workspace = any($3::text[]) returning workspace`,
    [holder, among ?? null, except],
  )
  return gone.rows.map((row) => row.workspace)
}

/** Forgets the token of a holder; false where there was none. */
export async function forgetToken(db: Db, holder: string): Promise<boolean> {
  const gone = await db.query(
    `update installs set state = 'removed', sealed = null, expires_at = null, renewing_until = null
     where holder = $1 and state <> 'removed'`,
    [holder],
  )
  return gone.rowCount === 1
}

/** Forgets that a holder ever installed us: it needs an invitation again. */
export async function forgetInstall(db: Db, holder: string): Promise<void> {
  await db.query('delete from installs where holder = $1', [holder])
}

const at = 'holder = $1 and id = $2 and version = $3'
const keyOf = ({ holder, id, version }: Version) => [holder, id, version]
/** One token of one installation. */
export type Version = Pick<Install, 'holder' | 'id' | 'version'>

/** The turn to renew this very token, for `ms`; false where another process has it or was quicker. */
export async function claimToken(db: Db, of: Version, ms: number): Promise<boolean> {
  const claimed = await db.query(
    `update installs set renewing_until = now() + $4 * interval '1 millisecond'
     where ${at} and state = 'installed' and (renewing_until is null or renewing_until < now())`,
    [...keyOf(of), ms],
  )
  return claimed.rowCount === 1
}

/** Ends a turn without a result: somebody may try again. */
export async function releaseToken(db: Db, of: Version): Promise<void> {
  await db.query(`update installs set renewing_until = null where ${at}`, keyOf(of))
}

/** The next token; false where this one was not the newest any more. */
export async function renewToken(
  db: Db,
  of: Version,
  sealed: string,
  seconds: number | undefined,
): Promise<boolean> {
  const renewed = await db.query(
    `update installs set sealed = $4, expires_at = now() + $5 * interval '1 second', version = version + 1,
       renewing_until = null where ${at} and state <> 'removed'`,
    [...keyOf(of), sealed, seconds ?? null],
  )
  return renewed.rowCount === 1
}

/** The same under another key. */
export async function resealToken(db: Db, of: Version, sealed: string): Promise<void> {
  await db.query(`update installs set sealed = $4 where ${at} and state <> 'removed'`, [...keyOf(of), sealed])
}

/** Slack renews it no more. */
export async function refuseToken(db: Db, of: Version): Promise<void> {
  await db.query(
    `update installs set state = 'refused', renewing_until = null where ${at} and state = 'installed'`,
    keyOf(of),
  )
}

/** Uses up what is good once; false where it was used before. `seconds`: for how long it would have been good. */
export async function spend(db: Db, nonce: string, seconds: number): Promise<boolean> {
  await db.query('delete from spent where until < now()')
  const used = await db.query(
    `insert into spent (nonce, until) values ($1, now() + $2 * interval '1 second') on conflict do nothing`,
    [nonce, Math.max(1, Math.ceil(seconds))],
  )
  return used.rowCount === 1
}
