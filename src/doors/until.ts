/** Waiting for the end of a process, and ending it within its time. */

/** npm repeats what the terminal has already sent: signals this close together are one, in ms. */
const ECHO_MS = 300

/** Resolves when the process is asked to end (Ctrl-C, SIGTERM). A second request ends it at once. */
export function untilAsked(): Promise<NodeJS.Signals> {
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
