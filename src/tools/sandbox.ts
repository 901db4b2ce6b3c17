/** A command inside bubblewrap: it may look at this machine's files, and change or reach next to nothing. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { Fault } from '../core/fault.ts'

/** What a sandboxed server may do: write in these directories, and use the network. */
export type Sandbox = { write: string[]; network: boolean }

/**
 * The command that runs another one in a sandbox: everything read-only but `write`, `/tmp` and `/run` empty and its
 * own except for where the command begins, no process but its own to be seen, no network unless it is asked for, and nothing left once it is killed.
 *
 * @param path where `bwrap` is looked for, as in PATH
 * @throws Fault config-invalid where it is not installed
 */
export function sandboxed(
  command: { command: string; args: string[]; cwd: string },
  sandbox: Sandbox,
  path: string | undefined,
): { command: string; args: string[] } {
  const bwrap = find('bwrap', path)
  if (bwrap === undefined) {
    const why =
      'mcp.json asks for a sandbox, and bwrap is not installed here; install bubblewrap, or take "sandbox" out'
    throw new Fault('config-invalid', why)
  }
  const args = [
    '--ro-bind',
    '/',
    '/',
    '--dev',
    '/dev',
    '--proc',
    '/proc',
    '--tmpfs',
    '/tmp',
    '--tmpfs',
    '/run',
  ]
  // Where names are resolved by a daemon, its list of servers lies in /run.
  const names = '/run/systemd/resolve'
  if (sandbox.network) args.push('--ro-bind-try', names, names)
  // A home below a directory that is the sandbox's own is still to be seen.
  if (/^\/(tmp|run)\/./.test(command.cwd)) args.push('--ro-bind', command.cwd, command.cwd)
  for (const dir of sandbox.write) args.push('--bind', dir, dir)
  args.push('--unshare-all', ...(sandbox.network ? ['--share-net'] : []))
  args.push(
    '--die-with-parent',
    '--new-session',
    '--chdir',
    command.cwd,
    '--',
    command.command,
    ...command.args,
  )
  return { command: bwrap, args }
}

function find(program: string, path: string | undefined): string | undefined {
  return (path ?? '')
    .split(delimiter)
    .filter((dir) => dir !== '')
    .map((dir) => join(dir, program))
    .find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
