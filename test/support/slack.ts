/** One workspace on a line of its own, as `serve` puts them together. */
import type { LineSettings } from '../../src/slack/line.ts'
import { type Listener, openListener, type SlackHandlers } from '../../src/slack/listen.ts'
import { openSpeaker, type Speaker } from '../../src/slack/speak.ts'

export type Slack = Listener & Pick<Speaker, 'identity' | 'speak' | 'channels'>

/** Checks the tokens and prepares to listen; nothing arrives before `start`. */
export async function openSlack(
  settings: LineSettings & { botToken: string },
  on: SlackHandlers,
): Promise<Slack> {
  const listener = openListener(settings, { desk: () => desk })
  const { identity, speak, channels, close } = await openSpeaker(settings)
  const desk = { identity, speak, on }
  const end = async (graceMs?: number) => {
    await listener.close(graceMs)
    close()
  }
  return { ...listener, identity, speak, channels, close: end, [Symbol.asyncDispose]: () => end() }
}
