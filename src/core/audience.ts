/**
 * Who may read what. A scope names people: `everyone` (the full members of the workspace), `channel:C…` (those who
 * can read that channel), `group:S…` (a user group), `user:U…`. An audience is a list of them. Pure.
 */
import type { Source } from './home.ts'

/** What counts about a person: `external` is anybody of another workspace, `gone` a closed account. */
export type Kind = 'full' | 'guest' | 'external' | 'bot' | 'gone'

/**
 * The scope of everybody who can read a reply: the person alone, in a direct message or where only they are answered
 * (`reply`), or the channel's readers.
 */
export function readersOf(thread: {
  channel: string
  dm: boolean
  asker: string
  reply?: string | null
}): string {
  return thread.dm || thread.reply ? `user:${thread.asker}` : `channel:${thread.channel}`
}

/** The audience a source's documents are stored with: any one of these scopes suffices to read them. */
export function audienceOf(source: Pick<Source, 'audience'>): string[] {
  if (source.audience === 'everyone') return ['everyone']
  return [...new Set(source.audience.map(scopeOf))].sort()
}

/** The scope of a Slack id: a user group's, a person's, else a channel's. */
export function scopeOf(id: string): string {
  if (id.startsWith('S')) return `group:${id}`
  return /^[UW]/.test(id) ? `user:${id}` : `channel:${id}`
}
