/** Putting files into a thread. */
import { z } from 'zod'
import { Fault } from '../core/fault.ts'
import type { Call } from './call.ts'

const Place = z.object({ upload_url: z.string(), file_id: z.string() })
const Shared = z.object({ files: z.array(z.object({ id: z.string(), size: z.number().optional() })) })

/** A file to be shared. `name` says which file it is, in its thread for ever; `title` is what people read. */
export type File = { name: string; title?: string; bytes: Buffer }

/**
 * Uploads files and shares them in the thread, in one message; `comment` is its text, which must be ours.
 * @returns the id of the first file
 * @throws Fault slack-scope, slack-refused (also where Slack has another size than was sent), slack-unreachable
 */
export function uploadWith(call: Call) {
  async function stage({ name, title = name, bytes }: File) {
    const args = { filename: name, length: bytes.length }
    const place = Place.parse(await call('files.getUploadURLExternal', args))
    await send(place.upload_url, bytes)
    return { id: place.file_id, title }
  }
  return async (
    channel: string,
    thread: string,
    files: readonly File[],
    comment: string,
  ): Promise<{ file: string }> => {
    const staged = []
    for (const file of files) staged.push(await stage(file))
    const args = { files: staged, channel_id: channel, thread_ts: thread, initial_comment: comment }
    const shared = Shared.parse(await call('files.completeUploadExternal', args, { priority: 'approval' }))
    const sizes = new Map(shared.files.map(({ id, size }) => [id, size]))
    const whole = staged.every(({ id }, i) => {
      const size = sizes.get(id)
      return sizes.has(id) && (size === undefined || size === files[i]?.bytes.length)
    })
    if (!whole) throw new Fault('slack-refused', 'Slack did not take the file as it was sent.')
    return { file: staged[0]?.id ?? '' }
  }
}

async function send(url: string, bytes: Buffer): Promise<void> {
  let response: Response
  try {
    const body = new Uint8Array(bytes)
    response = await fetch(url, {
      method: 'POST',
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(30_000),
    })
  } catch (cause) {
    throw new Fault('slack-unreachable', 'A file could not be sent to Slack.', { retry: true, cause })
  }
  if (!response.ok) {
    throw new Fault('slack-refused', `Slack refused a file: HTTP ${response.status}.`, {
      retry: response.status >= 500,
    })
  }
}
