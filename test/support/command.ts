/** Running the command line as a person would: a process of its own, in a directory of its own. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ENTRY = fileURLToPath(new URL('../../src/quorum.ts', import.meta.url))
/** Compiled code, kept from one process and one run of the tests to the next: starting takes a third less CPU. */
export const NODE_COMPILE_CACHE = fileURLToPath(
  new URL('../../node_modules/.cache/compiled', import.meta.url),
)
/** What a person's shell has; nothing of the settings of the machine that runs the tests. */
const SHELL = { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8', NODE_COMPILE_CACHE }

export type Command = {
  /** What was printed so far. */
  out(): string
  err(): string
  /** Resolves when the output matches; rejects when the process ends before. */
  printed(what: RegExp, ms?: number): Promise<void>
  signal(signal: NodeJS.Signals): void
  ended: Promise<number | null>
}

/** Starts `quorum …args` in `cwd` with nothing but `env`; `deaf` closes its output at once. */
export function startCommand(
  args: string[],
  options: { cwd: string; env?: Record<string, string>; deaf?: boolean },
): Command {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd: options.cwd,
    env: { ...SHELL, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  if (options.deaf) child.stdout.destroy()
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  return {
    out: () => out,
    err: () => err,
    async printed(what, ms = 30_000) {
      const late = Date.now() + ms
      while (!what.test(out + err)) {
        if (child.exitCode !== null || Date.now() > late)
          throw new Error(`never printed ${what}:\n${out}\n${err}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    signal: (signal) => void child.kill(signal),
    ended,
  }
}

/** Runs `quorum …args` to its end. */
export async function runCommand(
  args: string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<{ code: number | null; out: string; err: string }> {
  const command = startCommand(args, options)
  const code = await command.ended
  return { code, out: command.out(), err: command.err() }
}
