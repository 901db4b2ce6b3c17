/** Files: an address to upload one to, its bytes, the message that shares it, and who may fetch it. */
import { announcePosted } from './announce.ts'
import { botMessage, threadArg } from './chat-methods.ts'
import type { Hub, StoredFile } from './hub.ts'
import { newId } from './ids.ts'
import { joinedArg, type Method, needArg, Refusal, textArg } from './method.ts'
import { isObject } from './shape.ts'
import { addMessage, type Json, mayRead } from './world.ts'

export const FILE_METHODS: Record<string, Method> = {
  'files.getUploadURLExternal': { tier: 4, scope: 'files:write', run: getUploadUrl },
  'files.completeUploadExternal': { tier: 4, scope: 'files:write', run: complete },
  'files.info': { tier: 4, scope: 'files:read', run: info },
}

/** A file as a person drops it into a message. */
export type Dropped = { name: string; content: string | Uint8Array; type?: string }

/** Keeps a file that a person shares in a channel, and describes it as the message does. */
export function keepFile(hub: Hub, user: string, channel: string, dropped: Dropped): Json {
  const bytes = Buffer.from(dropped.content)
  const { name, type } = dropped
  const file: StoredFile = { id: newId('F'), name, title: name, length: bytes.length, bytes, shared: true }
  hub.files.set(file.id, { ...file, user, channel, ...(type ? { type } : {}) })
  return describe(hub, hub.files.get(file.id) ?? file)
}

function info(hub: Hub, args: Json): Json {
  const file = hub.files.get(needArg(args, 'file'))
  if (!file?.bytes || !mayFetch(hub, file)) throw new Refusal('file_not_found')
  return { file: describe(hub, file), comments: [], response_metadata: { next_cursor: '' } }
}

/** Whether the app, with the scope for it, may have the bytes: it shared the file, or is where it was shared. */
export function mayFetch(hub: Hub, { user, channel }: StoredFile): boolean {
  const { bot } = hub.world
  return user === undefined || user === bot.user || mayRead(hub.world, bot.user, channel ?? '')
}

function getUploadUrl(hub: Hub, args: Json): Json {
  const name = needArg(args, 'filename')
  const length = Number(needArg(args, 'length'))
  if (!Number.isInteger(length) || length <= 0) throw new Refusal('invalid_arguments')
  const id = newId('F')
  hub.files.set(id, { id, name, title: name, length, shared: false })
  return { upload_url: `${hub.origin}/upload/${id}`, file_id: id }
}

function complete(hub: Hub, args: Json): Json {
  if (!Array.isArray(args.files) || args.files.length === 0) throw new Refusal('invalid_arguments')
  const files = args.files.map((entry) => {
    const file = isObject(entry) ? hub.files.get(String(entry.id)) : undefined
    if (!file?.bytes || file.shared) throw new Refusal('file_not_found')
    if (isObject(entry) && typeof entry.title === 'string') file.title = entry.title
    return file
  })
  const described = files.map((file) => describe(hub, file))
  if (textArg(args, 'channel_id') !== undefined) {
    const channel = joinedArg(hub, args, 'channel_id')
    const content = { text: textArg(args, 'initial_comment') ?? '' }
    const said = { ...botMessage(hub, channel, content, threadArg(hub, args, channel)), files: described }
    for (const file of files) file.shared = true
    addMessage(hub.world, said)
    announcePosted(hub, { ...said, subtype: 'file_share' })
  }
  return { files: described }
}

function describe(hub: Hub, file: StoredFile): Json {
  const url = `${hub.origin}/files/${file.id}/${encodeURIComponent(file.name)}`
  return {
    id: file.id,
    name: file.name,
    title: file.title,
    size: file.length,
    mimetype: file.type ?? 'application/octet-stream',
    filetype: file.name.split('.').pop() ?? '',
    user: file.user ?? hub.world.bot.user,
    mode: 'hosted',
    is_external: false,
    url_private: url,
    url_private_download: url,
    permalink: url,
  }
}
