/** Processes of the product that are killed while they work, each replaced at once. */
import { type Command, startCommand } from './command.ts'
import type { Random } from './random.ts'

export type Fleet = AsyncDisposable & {
  /** Kills one of them, with no chance to say goodbye, and starts another in its place. */
  strike(): void
  /** How many were killed, or killed themselves. */
  kills(): number
  /** What those wrote that ended though nobody killed them; empty when all is well. */
  fallen(): string[]
  /** What all of them wrote, the dead included. */
  log(): string
  /** Asks all of them to end and gives their exit codes; nobody is replaced. */
  retire(): Promise<(number | null)[]>
}

/**
 * Starts one process for each of `posts`, the arguments of the command line. `mortal`: they may also end themselves
 * by a signal, and are replaced then as well.
 */
export function openFleet(
  posts: readonly (readonly string[])[],
  options: { cwd: string; env: Record<string, string>; random: Random; mortal?: boolean },
): Fleet {
  const alive = new Map<Command, readonly string[]>()
  const all: Command[] = []
  const fallen: string[] = []
  let kills = 0

  function start(post: readonly string[]): void {
    const command = startCommand([...post], options)
    alive.set(command, post)
    all.push(command)
    void command.ended.then((code) => {
      if (!alive.has(command)) return
      if (options.mortal && code === null) return replace([command, post])
      alive.delete(command)
      fallen.push(`${post.join(' ')} ended with ${code}:\n${command.err()}`)
    })
  }

  function replace([command, post]: [Command, readonly string[]]): void {
    alive.delete(command)
    command.signal('SIGKILL')
    kills += 1
    start(post)
  }

  for (const post of posts) start(post)
  return {
    strike: () => replace(options.random.pick([...alive])),
    kills: () => kills,
    fallen: () => fallen,
    log: () => all.map((command) => command.err()).join(''),
    retire() {
      const last = [...alive.keys()]
      alive.clear()
      for (const command of last) command.signal('SIGTERM')
      return Promise.all(last.map((command) => command.ended))
    },
    async [Symbol.asyncDispose]() {
      alive.clear()
      for (const command of all) command.signal('SIGKILL')
      await Promise.all(all.map((command) => command.ended))
    },
  }
}
