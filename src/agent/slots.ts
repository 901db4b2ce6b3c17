/** The slots of one process, shared by the workspaces it works for: who waits for one gets it in turns. */

export type Slots = {
  /** Does `work` as soon as a slot is free, or at once where `now` is aborted: then there is only something to hand back. */
  use<T>(workspace: string, now: AbortSignal, work: () => Promise<T>): Promise<T>
}

export function openSlots(most: number): Slots {
  let free = most
  /** By workspace, those who wait; the workspace whose turn is next comes first. */
  const waiting = new Map<string, Set<() => void>>()

  function pass(): void {
    const [next] = waiting
    if (!next) {
      free += 1
      return
    }
    const [workspace, all] = next
    const [go] = all
    waiting.delete(workspace)
    if (go) all.delete(go)
    if (all.size > 0) waiting.set(workspace, all)
    go?.()
  }

  function wait(workspace: string, now: AbortSignal): Promise<'taken' | 'over'> {
    const { promise, resolve } = Promise.withResolvers<'taken' | 'over'>()
    const all = waiting.get(workspace) ?? new Set()
    const go = () => resolve('taken')
    const over = () => {
      if (all.delete(go) && all.size === 0) waiting.delete(workspace)
      resolve('over')
    }
    all.add(go)
    waiting.set(workspace, all)
    now.addEventListener('abort', over, { once: true })
    return promise.finally(() => now.removeEventListener('abort', over))
  }

  return {
    async use(workspace, now, work) {
      if (now.aborted) return work()
      if (free > 0) free -= 1
      else if ((await wait(workspace, now)) === 'over') return work()
      try {
        return await work()
      } finally {
        pass()
      }
    },
  }
}
