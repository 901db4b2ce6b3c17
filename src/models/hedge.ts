/** Asking two replicas where the first says nothing for long: whoever speaks first answers, the other is let go. */
import type { AskOptions } from './chat.ts'

/** Asks one replica; throws where it failed. */
type Try<T> = (options: AskOptions) => Promise<T>

/**
 * Asks `first`, and after `ms` of silence whatever `second` gives, if anything. The answer is the one whose first token
 * came first; only its text is passed on. Where one of two fails the other goes on; where both fail, the first one's error.
 */
export async function hedge<T>(
  first: Try<T>,
  second: () => Try<T> | undefined,
  ms: number,
  options: AskOptions,
): Promise<T> {
  const running: AbortController[] = []
  let speaker: AbortController | undefined
  const start = (ask: Try<T>): Promise<T> => {
    const control = new AbortController()
    running.push(control)
    const speaks = () => {
      if (speaker) return
      speaker = control
      options.onFirst?.()
      for (const other of running)
        if (other !== control) other.abort(new Error('another replica was quicker'))
    }
    return ask({
      signal: AbortSignal.any([options.signal, control.signal]),
      onFirst: speaks,
      onText: (delta) => {
        if (speaker === control) options.onText?.(delta)
      },
    })
  }
  const one = start(first)
  const isLate = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(true), ms)
    const ended = () => {
      clearTimeout(timer)
      resolve(false)
    }
    one.then(ended, ended)
  })
  const ask = isLate && !speaker ? second() : undefined
  if (!ask) return one
  const other = start(ask)
  const [a, b] = await Promise.allSettled([one, other])
  if (a.status === 'fulfilled') return a.value
  if (b.status === 'fulfilled') return b.value
  throw speaker === running[1] ? b.reason : a.reason
}
