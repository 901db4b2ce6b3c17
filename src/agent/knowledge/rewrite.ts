/** Rewrite: documents of conversations are made anew from what is kept of them. */
import type pg from 'pg'
import { millisOf, type Turn } from '../../core/overheard.ts'
import type { Channels } from '../../slack/channels.ts'
import { foundConversation } from '../../sources/conversation.ts'
import { removeDocuments } from '../../store/documents.ts'
import { forgetConversations, isFollowed, listFollowed } from '../../store/followed.ts'
import { claimRewrites, endRewrite, type Rewrite, readTurns } from '../../store/turns.ts'
import { follow } from './ingest.ts'

export type RewriteContext = {
  pool: pg.Pool
  workspace: string
  channels: Pick<Channels, 'linkTo' | 'names'>
}

/** Documents made anew together; nobody else makes them for so long, in ms. */
const BATCH = 50
const BUSY_MS = 60_000
/** People, groups and channels, as they stand in turns. */
const TOKENS = /<(?:@([UW][A-Z0-9]+)|!subteam\^(S[A-Z0-9]+)|#([CG][A-Z0-9]+))>/g

/** Makes some of the documents that wait for it, and answers how many. What a channel's members said they alone read. */
export async function rewriteSome(context: RewriteContext): Promise<number> {
  const { pool, workspace } = context
  const claimed = await claimRewrites(pool, workspace, BATCH, BUSY_MS)
  if (claimed.length === 0) return 0
  const paths = claimed.map((one) => one.path)
  const turns = await readTurns(pool, workspace, paths)
  const nameOf = await readNames(context, [...turns.values()].flat())
  for (const one of claimed) {
    const found = build(context, one, turns.get(one.path) ?? [], nameOf)
    const shelf = { workspace, source: one.source }
    if (found) await follow({ pool }, shelf, { audience: [one.channel] }, [found])
    else await forgetConversations(pool, workspace, [one.path])
    // Where the channel was left or went to another source meanwhile, nobody would look for what was written here.
    if (!(await isFollowed(pool, one))) await removeDocuments(pool, shelf, [one.path])
    await endRewrite(pool, one)
  }
  return claimed.length
}

/** What other apps say among themselves is no conversation. */
function build(
  { channels }: RewriteContext,
  { path, channel, name }: Rewrite,
  turns: Turn[],
  nameOf: (id: string) => string,
) {
  if (turns.every((turn) => turn.app)) return undefined
  const spoken = turns.map(({ ts, thread, author, app, text }) => ({
    at: new Date(millisOf(ts)),
    speaker: app ? `${author} (app)` : nameOf(author),
    text: text.replace(TOKENS, (_, user?: string, group?: string, place?: string) =>
      place ? `#${nameOf(place)}` : `@${nameOf(user ?? group ?? '').replace(/^@/, '')}`,
    ),
    link: channels.linkTo(channel, ts, thread),
  }))
  return foundConversation(path, name, spoken)
}

/** Names of everybody who speaks or is spoken of. A private channel's name is not for everyone who sees its id. */
async function readNames(
  { pool, workspace, channels }: RewriteContext,
  turns: readonly Turn[],
): Promise<(id: string) => string> {
  const authors = turns.flatMap(({ author, app }) => (app ? [] : [author]))
  const named = turns.flatMap(({ text }) =>
    [...text.matchAll(TOKENS)].flatMap(([, user, group]) => user ?? group ?? []),
  )
  const people = await channels.names([...new Set([...authors, ...named])])
  const followed = await listFollowed(pool, workspace)
  const places = new Map(followed.filter((one) => !one.private).map((one) => [one.channel, one.name]))
  return (id) => people.get(id) ?? places.get(id) ?? id
}
