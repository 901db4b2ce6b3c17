/** Waiting for the end of a process, and ending it within its time. Imports nothing: it is there before all else. */

/** When the process is asked to end: resolves with the signal. */
export type Asked = Promise<NodeJS.Signals>

/** npm repeats what the terminal has already sent: signals this close together are one, in ms. */
const ECHO_MS = 300

/** Resolves when the process is asked to end (Ctrl-C, SIGTERM). A second request ends it at once. */
export function untilAsked(): Asked {
  return new Promise((resolve) => {
    let first: number | undefined
    const on = (signal: NodeJS.Signals) => {
      first ??= performance.now()
      if (performance.now() - first > ECHO_MS) process.exit(signal === 'SIGINT' ? 130 : 143)
      resolve(signal)
    }
    process.on('SIGINT', on)
    process.on('SIGTERM', on)
  })
}

/** Ends the process with code 1 where it is still there in `ms`; `tell` is told what is open then. */
export function endBy(ms: number, tell: (open: string[]) => void): void {
  const late = setTimeout(() => {
    tell(process.getActiveResourcesInfo())
    process.exit(1)
  }, ms)
  late.unref()
}
