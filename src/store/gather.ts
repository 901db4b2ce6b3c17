/** Many small requests at once as one: while one trip to the database is under way, the next one fills. */

/**
 * Answers a function that hands what it is given to `send`, together with whatever else was given meanwhile, `most` at
 * a time and one trip after another. `send` answers in the order of what it was given, or throws for all of it.
 */
export function gather<T, R>(
  send: (items: readonly T[]) => Promise<readonly R[]>,
  most: number,
): (item: T) => Promise<R> {
  type Waiting = { item: T; resolve: (result: R) => void; reject: (error: unknown) => void }
  let waiting: Waiting[] = []
  let busy = false

  async function work(): Promise<void> {
    busy = true
    while (waiting.length > 0) {
      const batch = waiting.slice(0, most)
      waiting = waiting.slice(most)
      try {
        const results = await send(batch.map(({ item }) => item))
        batch.forEach(({ resolve }, i) => {
          resolve(results[i] as R)
        })
      } catch (error) {
        for (const { reject } of batch) reject(error)
      }
    }
    busy = false
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      // After whatever else is asked for in this turn.
      if (!busy) {
        busy = true
        queueMicrotask(() => void work())
      }
    })
}
