/** Git checkouts: the tracked files of one, and keeping one of an address up to date. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, realpath, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { Fault } from '../core/fault.ts'
import { type Entry, skip } from './entry.ts'
import { isWanted, lookAt, type Wanted } from './file.ts'
import { openReader } from './reader.ts'

/** What git finds its keys and itself by: PATH, HOME and SSH_AUTH_SOCK of the environment. */
export type GitEnv = Readonly<Record<string, string | undefined>>

export type Checkout = Wanted & {
  env?: GitEnv | undefined
  /** Address template of a page; `{commit}` is the last commit that changed it. */
  link?: string | undefined
  signal?: AbortSignal | undefined
}

/** How long git may take over the network, and over what is here, in ms. */
const NETWORK_MS = 600_000
const LOCAL_MS = 60_000
/** The history is read for dates this far, in commits and ms; files older than that have none. */
const MOST_COMMITS = 20_000
const HISTORY_MS = 20_000
const MOST_OUTPUT = 64 * 1024 * 1024

/** True for what git fetches; anything else is a directory. */
export function isAddress(where: string): boolean {
  return /^(https|ssh|file):\/\//.test(where) || /^[\w.-]+@[\w.-]+:/.test(where)
}

/**
 * Reads the tracked files of a checkout as they lie there, in the order of their paths; what .gitignore leaves out,
 * and submodules, are not tracked. Their date is that of the last commit that changed them.
 *
 * @throws Fault `source-unreadable` where it is no checkout
 */
export async function* readCheckout(directory: string, checkout: Checkout = {}): AsyncGenerator<Entry> {
  const files = (await listTracked(directory, checkout.env)).filter((file) => isWanted(file, checkout))
  const root = await realpath(directory)
  const history = await readHistory(root, new Set(files), checkout.env)
  await using reader = openReader({ signal: checkout.signal })
  for (const file of files) {
    checkout.signal?.throwIfAborted()
    const entry = await lookAt(root, file, reader)
    if ('found' in entry) yield dated(entry, history.get(file), checkout.link)
    // Tracked and taken away is gone.
    else if ('skipped' in entry && entry.skipped.why.endsWith('it is not there'))
      yield skip(file, entry.skipped.why)
    else yield entry
  }
  await reader.finish()
}

/** How many entries reading a checkout gives; 0 where it is none. */
export async function countCheckout(directory: string, wanted: Checkout = {}): Promise<number> {
  const files = await listTracked(directory, wanted.env).catch(() => [])
  return files.filter((file) => isWanted(file, wanted)).length
}

/**
 * Brings a checkout of an address up to date, making it where it is missing, and answers its directory. Only the
 * written host is spoken to: redirects are not followed, nothing is asked for, submodules, hooks and filters are
 * left alone. A name and password in an https address go to git in its environment, never on its command line.
 *
 * @param place the directory that holds checkouts
 * @throws Fault `source-unreadable` in words without secrets; the checkout stays as it was
 */
export async function fetchCheckout(
  place: string,
  {
    url,
    branch,
    env,
    signal,
  }: { url: string; branch?: string | undefined; env?: GitEnv | undefined; signal?: AbortSignal | undefined },
): Promise<string> {
  const { address, secret } = splitSecret(url)
  const directory = path.join(place, nameOf({ url, branch }))
  const network = { secret, env, limitMs: NETWORK_MS, signal }
  const intact = await run(directory, ['rev-parse', '--verify', '--quiet', 'HEAD'], { env }).catch(
    () => undefined,
  )
  try {
    if (intact === undefined || (await isWorn(directory)))
      return await clone(directory, address, branch, network)
    await rm(path.join(directory, '.git', 'index.lock'), { force: true })
    await rm(path.join(directory, '.git', 'shallow.lock'), { force: true })
    await run(
      directory,
      ['fetch', '--no-tags', '--no-recurse-submodules', '--force', 'origin', branch ?? 'HEAD'],
      network,
    )
    await run(directory, ['reset', '--hard', '--quiet', 'FETCH_HEAD'], network)
    return directory
  } catch (cause) {
    if (signal?.aborted) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Fault('source-unreadable', `${address} cannot be fetched: ${why}`, { cause, retry: true })
  }
}

/** Each fetch that brings something adds a pack; a checkout with more of them than this is made anew. */
const MOST_PACKS = 50

/** Whether a checkout has grown slow, and large by versions that are gone. */
async function isWorn(directory: string): Promise<boolean> {
  const packs = await readdir(path.join(directory, '.git', 'objects', 'pack')).catch(() => [])
  return packs.filter((file) => file.endsWith('.pack')).length > MOST_PACKS
}

/** What of the checkout of an address its name is made of: not what signs in to it. */
type Named = { url: string; branch?: string | undefined }

function nameOf({ url, branch }: Named): string {
  return createHash('sha256')
    .update(JSON.stringify([splitSecret(url).address, branch]))
    .digest('hex')
    .slice(0, 16)
}

/** Removes the checkouts of addresses that are not among these any more. */
export async function removeOtherCheckouts(place: string, named: readonly Named[]): Promise<void> {
  const kept = new Set(named.map(nameOf))
  const there = await readdir(place).catch(() => [])
  for (const name of there)
    if (/^[0-9a-f]{16}(\.new)?$/.test(name) && !kept.has(name.slice(0, 16)))
      await rm(path.join(place, name), { recursive: true, force: true })
}

type Network = {
  secret?: string | undefined
  env?: GitEnv | undefined
  limitMs?: number
  signal?: AbortSignal | undefined
}

/** Made beside its place and moved there when it is whole. */
async function clone(
  directory: string,
  address: string,
  branch: string | undefined,
  network: Network,
): Promise<string> {
  const fresh = `${directory}.new`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(path.dirname(directory), { recursive: true })
  const of = branch === undefined ? [] : ['--branch', branch]
  const how = [
    '--quiet',
    '--single-branch',
    '--no-tags',
    '--no-recurse-submodules',
    '--template=',
    '--filter=blob:none',
  ]
  await run(path.dirname(directory), ['clone', ...how, ...of, '--', address, fresh], network)
  await rm(directory, { recursive: true, force: true })
  await rename(fresh, directory)
  return directory
}

/** The address without what signs in to it, and that as a header. */
function splitSecret(url: string): { address: string; secret?: string } {
  if (!url.startsWith('https://') || !URL.canParse(url)) return { address: url }
  const parsed = new URL(url)
  const { username, password } = parsed
  if (username === '' && password === '') return { address: url }
  parsed.username = ''
  parsed.password = ''
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { address: parsed.href, secret: `Authorization: Basic ${Buffer.from(pair).toString('base64')}` }
}

async function listTracked(directory: string, env: GitEnv | undefined): Promise<string[]> {
  try {
    const listed = await run(directory, ['ls-files', '-z', '--stage'], { env })
    const files = listed.split('\0').flatMap((line) => {
      const [, mode, file] = /^(\d+) [0-9a-f]+ \d\t(.+)$/s.exec(line) ?? []
      return file !== undefined && mode !== '160000' ? [file] : []
    })
    return [...new Set(files)].sort()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Fault('source-unreadable', `${directory} cannot be read as a Git checkout: ${why}`, { cause })
  }
}

type Commit = { hash: string; date: string }

/** The last commit of each file, as far back as is cheap. */
async function readHistory(
  root: string,
  files: ReadonlySet<string>,
  env: GitEnv | undefined,
): Promise<Map<string, Commit>> {
  const commits = new Map<string, Commit>()
  const log = [
    'log',
    '--relative',
    '--no-renames',
    '--name-only',
    `--max-count=${MOST_COMMITS}`,
    '--format=commit %H %cs',
  ]
  let commit: Commit | undefined
  const onLine = (line: string) => {
    const [, hash, date] = /^commit ([0-9a-f]{40,64}) (\d{4}-\d\d-\d\d)$/.exec(line) ?? []
    if (hash !== undefined && date !== undefined) commit = { hash, date }
    else if (commit && files.has(line) && !commits.has(line)) commits.set(line, commit)
    return commits.size < files.size
  }
  // Without a history (a fresh repository, one that is shallow) files have their own dates.
  await run(root, log, { env, limitMs: HISTORY_MS }, onLine).catch(() => '')
  return commits
}

function dated(
  entry: Extract<Entry, { found: unknown }>,
  commit: Commit | undefined,
  link: string | undefined,
): Entry {
  const found = { ...entry.found }
  if (commit) found.date = commit.date
  if (link !== undefined) found.link = link.replaceAll('{commit}', commit?.hash ?? 'HEAD')
  return { found }
}

/** What a repository must not make git do. */
const CAREFUL = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.quotePath=false',
  'core.sshCommand=ssh -o BatchMode=yes -o ConnectTimeout=20',
  'http.followRedirects=false',
  'protocol.allow=never',
  'protocol.https.allow=always',
  'protocol.ssh.allow=always',
  'protocol.file.allow=always',
  'submodule.recurse=false',
  'gc.auto=0',
  'safe.directory=*',
].flatMap((setting) => ['-c', setting])

/**
 * Runs git, without a shell, and answers what it printed. `onLine` hears the lines instead, until it answers false.
 *
 * @throws Error with git's last line
 */
function run(
  cwd: string,
  args: readonly string[],
  { secret, env: own = {}, limitMs = LOCAL_MS, signal }: Network = {},
  onLine?: (line: string) => boolean,
): Promise<string> {
  const header = secret
    ? { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'http.extraHeader', GIT_CONFIG_VALUE_0: secret }
    : {}
  const env = {
    ...(own.PATH ? { PATH: own.PATH } : {}),
    ...(own.HOME ? { HOME: own.HOME } : {}),
    ...(own.SSH_AUTH_SOCK ? { SSH_AUTH_SOCK: own.SSH_AUTH_SOCK } : {}),
    LANG: 'C.UTF-8',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_OPTIONAL_LOCKS: '0',
    ...header,
  }
  return new Promise((resolve, reject) => {
    const child = spawn('git', [...CAREFUL, ...args], {
      cwd,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
      ...(signal ? { signal } : {}),
    })
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      if (out.length > MOST_OUTPUT) child.kill('SIGKILL')
      if (!onLine) return
      const lines = out.split('\n')
      out = lines.pop() ?? ''
      if (!lines.every(onLine)) child.kill()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err = (err + text).slice(-4_000)
    })
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'ENOENT' ? new Error('git is not installed, or the directory is not there') : error,
      ),
    )
    child.once('close', (code, killed) => {
      if (code === 0 || (onLine && killed === 'SIGTERM')) resolve(out)
      else if (killed) reject(new Error(`git took longer than ${limitMs / 1_000} s`))
      else reject(new Error(lastLine(err) || `git ended with code ${code}`))
    })
  })
}

function lastLine(err: string): string {
  const lines = err.split('\n').map((line) => line.replace(/^(fatal|error): /, '').trim())
  return (lines.findLast((line) => line !== '') ?? '').replace(/\/\/[^/@\s]+@/g, '//')
}
