/** Putting a file into a thread. */
import { z } from 'zod'
import { Fault } from '../core/fault.ts'
import type { Call } from './call.ts'

const Place = z.object({ upload_url: z.string(), file_id: z.string() })
const Shared = z.object({ files: z.array(z.object({ id: z.string(), size: z.number().optional() })) })

/** A file to be shared; `comment` is the message it comes with, which must be ours. */
export type Upload = { name: string; bytes: Buffer; comment: string }

/**
 * Uploads a file and shares it in the thread.
 * @throws Fault slack-scope, slack-refused (also where Slack has another size than was sent), slack-unreachable
 */
export function uploadWith(call: Call) {
  return async (
    channel: string,
    thread: string,
    { name, bytes, comment }: Upload,
  ): Promise<{ file: string }> => {
    const place = Place.parse(
      await call('files.getUploadURLExternal', { filename: name, length: bytes.length }),
    )
    await send(place.upload_url, bytes)
    const shared = await call(
      'files.completeUploadExternal',
      {
        files: [{ id: place.file_id, title: name }],
        channel_id: channel,
        thread_ts: thread,
        initial_comment: comment,
      },
      { priority: 'approval' },
    )
    const [file] = Shared.parse(shared).files
    if (!file || (file.size !== undefined && file.size !== bytes.length))
      throw new Fault('slack-refused', 'Slack did not take the file as it was sent.')
    return { file: file.id }
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
