/** What comes with a message besides its own words: files, quotes, and what the person has open. Pure, and it never throws. */
import { z } from 'zod'
import type { Enclosed, SharedFile, Viewing } from '../core/enclosed.ts'
import { withoutSecrets } from '../core/secrets.ts'
import { Worded, wordsOf } from './plain.ts'

const id = z.string().min(1)
const File = z.looseObject({
  id,
  name: z.string().nullish(),
  title: z.string().nullish(),
  mode: z.string().nullish(),
  mimetype: z.string().nullish(),
  size: z.number().nullish(),
  is_external: z.boolean().nullish(),
  url_private: z.string().nullish(),
})

/** More files of one message are not looked at. */
const MOST_FILES = 10
const LONGEST_NAME = 200
/** A file that was deleted, or that the workspace's plan does not show any more. */
const GONE = new Set(['tombstone', 'hidden_by_limit'])

/** The files of a message; what has another shape than we know is left out. */
export function filesOf(raw: unknown): SharedFile[] {
  const listed = z.array(z.unknown()).safeParse(raw).data ?? []
  return listed.slice(0, MOST_FILES).flatMap((one) => {
    const file = File.safeParse(one).data
    if (!file || GONE.has(file.mode ?? '')) return []
    const { mimetype: type, size, url_private: url } = file
    const name = (file.name || file.title || file.id).slice(0, LONGEST_NAME).toWellFormed()
    return [
      {
        id: file.id,
        name,
        ...(type ? { type } : {}),
        ...(size && Number.isInteger(size) && size > 0 ? { size } : {}),
        ...(url ? { url } : {}),
      },
    ]
  })
}

const Entity = z.object({
  type: z.string(),
  value: z.union([z.string(), z.looseObject({ channel_id: id, message_ts: id })]),
})
const AppContext = z.object({ entities: z.array(z.unknown()) })

/** What a person has open, the most relevant first, of what we can read: a message or its thread, else a channel. */
function viewingOf(raw: unknown, here: string): Viewing | undefined {
  const entities = AppContext.safeParse(raw).data?.entities ?? []
  const views = entities.flatMap((one): Viewing[] => {
    const entity = Entity.safeParse(one).data
    if (!entity) return []
    const { type, value } = entity
    if (type === 'slack#/types/message_context' && typeof value === 'object')
      return [{ channel: value.channel_id, ts: value.message_ts }]
    return type === 'slack#/types/channel_id' && typeof value === 'string' ? [{ channel: value }] : []
  })
  const others = views.filter(({ channel }) => channel !== here)
  return others.find((view) => view.ts !== undefined) ?? others[0]
}

const Holding = z.looseObject({ files: z.unknown().optional(), app_context: z.unknown().optional() })

/** @param direct the channel where the message was written to us alone: elsewhere what one person has open is not for the others */
export function enclosedIn(message: unknown, direct?: string): Enclosed {
  const raw = Holding.safeParse(message).data
  const worded = Worded.safeParse(message).data
  const files = filesOf(raw?.files)
  const viewing = direct ? viewingOf(raw?.app_context, direct) : undefined
  const quoted = worded ? withoutSecrets(wordsOf({ attachments: worded.attachments }, false)) : ''
  return {
    ...(files.length > 0 ? { files } : {}),
    ...(quoted ? { quoted } : {}),
    ...(viewing ? { viewing } : {}),
  }
}
