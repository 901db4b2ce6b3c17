/** What happens in channels that are sources of knowledge, freed of Slack's shapes. */

/** One message, as it stands now. Slack's `ts` sorts as text and is unique in its channel. */
export type Turn = {
  ts: string
  /** The first message of the thread, where this one is a reply. */
  thread?: string
  /** A person's id, or the name another app goes by. */
  author: string
  /** Written by another app: it counts only where people talk about it, in its thread. */
  app: boolean
  /** Plain text; people and groups stand in it as Slack's tokens (`<@U…>`, `<!subteam^S…>`, `<#C…>`). */
  text: string
  /** When it was last edited; absent where it never was. Of two versions the later one counts. */
  edited?: string
}

type Place = { workspace: string; channel: string }

export type Overheard =
  | ({ kind: 'said'; turn: Turn } & Place)
  /** The message is gone, or is now one that is left out. */
  | ({ kind: 'unsaid'; ts: string; edited?: string } & Place)
  /** `left`: we may not read it any more. `joined`: we may now. */
  | ({ kind: 'channel'; change: 'joined' | 'left' | 'gone' | 'archived' | 'unarchived' | 'renamed' } & Place)

/** Slack's time stamp as milliseconds since 1970. */
export function millisOf(ts: string): number {
  return Math.round(Number(ts) * 1000)
}

/** Milliseconds since 1970 as a time stamp that sorts before every message of that moment. */
export function tsOf(millis: number): string {
  return `${Math.max(0, Math.floor(millis / 1000))}.${String(Math.max(0, Math.floor(millis % 1000)) * 1000).padStart(6, '0')}`
}
