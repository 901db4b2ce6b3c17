/** One attempt at one server, held before a byte is sent and settled once, whatever became of it. */
import type { ChatAnswer, ChatRequest } from '../core/chat.ts'
import { estimateTokens } from '../core/chunk.ts'
import type { Attempt, Meter, Purpose, Used } from '../core/meter.ts'
import type { Wait } from '../core/wait.ts'
import type { AskOptions, Chat } from './chat.ts'
import { wasNotRead } from './failure.ts'

/** Asks under the meter: the output is capped at what was held. Throws what the attempt throws. */
export async function askMetered(
  chat: Pick<Chat, 'ask'>,
  meter: Meter,
  attempt: Attempt,
  request: ChatRequest,
  options: AskOptions & { about: Purpose },
): Promise<ChatAnswer | { wait: Wait }> {
  const hold = await meter(options.about, attempt)
  if ('wait' in hold) return hold
  let said = ''
  const onText = (delta: string) => {
    said += delta
    options.onText?.(delta)
  }
  const guess = (prompt: number): Used => ({ prompt, completion: estimateTokens(said), sure: false })
  let used = guess(attempt.prompt)
  try {
    const answer = await chat.ask({ ...request, maxTokens: hold.most }, { signal: options.signal, onText })
    used = answer.usage ? { ...answer.usage, sure: true } : guess(attempt.prompt)
    return answer
  } catch (error) {
    used = wasNotRead(error) ? { prompt: 0, completion: 0, sure: true } : guess(attempt.prompt)
    throw error
  } finally {
    await hold.settle(used)
  }
}
