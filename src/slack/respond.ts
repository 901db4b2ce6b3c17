import { Fault } from '../core/fault.ts'
import type { Message } from './message.ts'

/**
 * Answers a command or a click at the address Slack gave with it.
 * @throws Fault slack-refused (also for an address that is not Slack's), slack-unreachable
 */
export async function respond(
  url: string,
  message: Message,
  options: { replace?: boolean; apiUrl?: string | undefined },
) {
  const { protocol, hostname, origin } = new URL(url)
  const slack = protocol === 'https:' && /(^|\.)slack(-gov)?\.com$/.test(hostname)
  if (!slack && !(options.apiUrl && new URL(options.apiUrl).origin === origin)) {
    throw new Fault('slack-refused', `An answer was asked for at ${hostname}, which is not Slack.`)
  }
  const body = {
    text: message.text,
    ...(message.blocks ? { blocks: message.blocks } : {}),
    ...(options.replace
      ? { replace_original: true }
      : { response_type: 'ephemeral', replace_original: false }),
  }
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    })
  } catch (cause) {
    throw new Fault('slack-unreachable', 'Slack cannot be reached to answer a command or click.', {
      retry: true,
      cause,
    })
  }
  const words = await response.text()
  if (response.ok) return
  const sentence = `Slack refused the answer to a command or click: HTTP ${response.status} ${words.slice(0, 100)}`
  throw new Fault('slack-refused', sentence, { retry: response.status === 429 || response.status >= 500 })
}
