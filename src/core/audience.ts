/** Who may read what. An audience, and the scopes of a thread, are lists of the same words. Pure. */
import type { Source } from './home.ts'

/**
 * The readers of a thread: `dm` is a direct message with `user` alone; `external` is true where
 * anybody who is not a full member of the workspace (a guest, a Connect member) can read the channel.
 */
export type Readers = { channel: string; dm: boolean; external: boolean; user: string }

/**
 * What EVERYONE who can read the thread may read: a passage may be recalled there only where its audience
 * names one of these. `everyone` are the full members of the workspace; `channel:C…` are those who can
 * read that channel; `user:U…` is one person. Unsure whether there are outsiders? Say `external: true`.
 */
export function scopes(thread: Readers): string[] {
  const own = thread.dm ? `user:${thread.user}` : `channel:${thread.channel}`
  return thread.external ? [own] : ['everyone', own]
}

/** The audience a source's documents are stored with: any one of these scopes suffices to read them. */
export function audienceOf(source: Pick<Source, 'audience'>): string[] {
  if (source.audience === 'everyone') return ['everyone']
  return [...new Set(source.audience.map(scopeOf))].sort()
}

/** The scope of a Slack id: a user group's, a person's, else a channel's. */
function scopeOf(id: string): string {
  if (id.startsWith('S')) return `group:${id}`
  return /^[UW]/.test(id) ? `user:${id}` : `channel:${id}`
}
