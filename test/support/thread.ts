/** How long the main thread is held by what is measured. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

export type Held = { longest(): { cpu: number; wall: number }; stop(): void }

/**
 * How long the main thread was held at a stretch since this was last asked, in ms: of its own CPU time, and by the
 * clock, which also counts what others on the machine did meanwhile. A timer every 5 ms looks, so that up to 5 ms of
 * other work count as well.
 */
export function watchThread(): Held {
  const clock = monitorEventLoopDelay({ resolution: 5 })
  clock.enable()
  let before = process.threadCpuUsage()
  let cpu = 0
  const timer = setInterval(() => {
    const { user, system } = process.threadCpuUsage(before)
    before = process.threadCpuUsage()
    cpu = Math.max(cpu, (user + system) / 1_000)
  }, 5)
  return {
    longest: () => {
      const held = { cpu: Math.round(cpu), wall: Math.max(0, Math.round(clock.max / 1e6 - 5)) }
      cpu = 0
      clock.reset()
      return held
    },
    stop: () => {
      clearInterval(timer)
      clock.disable()
    },
  }
}
