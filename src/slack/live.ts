/** One message that changes while work goes on: often wanted, seldom sent. */

export type Live<State> = {
  /** The newest state; an older one that was not sent yet is forgotten. */
  show(state: State): void
  /** Sends the newest state now, whatever the clock says, and waits until it has arrived. */
  flush(): Promise<void>
  /** Flushes, then ignores everything. */
  close(): Promise<void>
  /**
   * Sends nothing more, not even what waits to be sent: somebody else shows the work from here on. Resolves when what
   * is being sent has arrived, or failed.
   */
  leave(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Sends the first state at once, then at most one every `everyMs`, never two at a time; the last state wins
 * and what has not changed, as JSON, is not sent. `send` may answer `dropped`: the state is tried again at the next turn.
 * `last` is true for a flush, when the state should not be dropped. A failure of `send` is thrown by `flush`
 * and by nothing else.
 */
export function openLive<State>(
  send: (state: State, options: { last: boolean }) => Promise<unknown>,
  options: { everyMs?: number | (() => number) } = {},
): Live<State> {
  const { everyMs = 1500 } = options
  const pace = () => (typeof everyMs === 'number' ? everyMs : everyMs())
  let wanted: { state: State; key: string } | undefined
  let sentKey: string | undefined
  let sending: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let lastAt = Number.NEGATIVE_INFINITY
  let closed = false
  let flushing = 0

  async function sendNewest(last: boolean): Promise<void> {
    const newest = wanted
    if (!newest || newest.key === sentKey) return
    lastAt = performance.now()
    const outcome = await send(newest.state, { last })
    if (outcome !== 'dropped') sentKey = newest.key
  }

  function turn(): void {
    timer = undefined
    if (sending || closed) return
    const tried = wanted?.key
    let failed = false
    sending = sendNewest(false)
      .catch(() => {
        failed = true // The next state carries the same and more, and a flush tries again.
      })
      .finally(() => {
        sending = undefined
        if (wanted && wanted.key !== sentKey && !(failed && wanted.key === tried)) arm()
      })
  }

  function arm(): void {
    if (timer || sending || closed || flushing > 0) return
    const wait = lastAt + pace() - performance.now()
    if (wait <= 0) turn()
    else timer = setTimeout(turn, wait)
  }

  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    flushing += 1
    try {
      while (sending) await sending
      const attempt = sendNewest(true)
      sending = attempt.then(
        () => {},
        () => {},
      )
      await attempt
    } finally {
      flushing -= 1
      sending = undefined
      if (wanted && wanted.key !== sentKey) arm()
    }
  }

  async function close(): Promise<void> {
    if (closed) return
    try {
      await flush()
    } finally {
      void leave()
    }
  }

  async function leave(): Promise<void> {
    closed = true
    clearTimeout(timer)
    await sending
  }

  return {
    show(state) {
      if (closed) return
      wanted = { state, key: JSON.stringify(state) }
      if (wanted.key !== sentKey) arm()
    },
    flush,
    close,
    leave,
    [Symbol.asyncDispose]: close,
  }
}
