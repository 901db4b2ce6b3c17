/** Reads a home from disk: every file, every problem, in one go. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { z } from 'zod'
import { BudgetsFile } from '../core/budget.ts'
import { Fault } from '../core/fault.ts'
import {
  type Agent,
  AgentFront,
  type Home,
  McpFile,
  ModelsFile,
  SourcesFile,
  type ToolServer,
} from '../core/home.ts'
import { type Lock, LockFile } from '../core/lock.ts'
import { PolicyFile } from '../core/rules.ts'
import { checkFile } from './check.ts'
import { checkTogether } from './cross.ts'
import { expandFile } from './expand.ts'
import { readFront } from './front.ts'
import { readJson } from './json.ts'
import { nearest } from './nearest.ts'
import type { Placed } from './placed.ts'
import { formatProblems, type Problem } from './problem.ts'
import { readYaml } from './yaml.ts'

type Environment = Record<string, string | undefined>
type Known = { problems: Problem[]; placed: Map<string, Placed>; written: Map<string, unknown> }

const FILES = ['mcp.json', 'policy.yaml', 'models.yaml', 'budgets.yaml', 'sources.yaml']
const LOCK = 'tools.lock.json'
/** Largest file that is read, in MiB. */
const LARGEST = 1
const LARGEST_LOCK = 4

/**
 * Reads and checks the directory that is a deployment. Only `agents/` must be there; relative directories are
 * resolved against the home. `accepting`: rules need not match an accepted tool yet. Keys and tokens stay names: `${NAME}` in `env` and `headers` is not replaced here.
 *
 * @throws Fault `config-invalid`: all problems of all files, one a line, as `policy.yaml:7: unknown key "decison"`
 */
export async function readHome(
  dir: string,
  env: Environment,
  options: { accepting?: boolean } = {},
): Promise<Home> {
  const home = resolve(dir)
  if (!(await stat(home).catch(() => undefined))?.isDirectory()) {
    throw new Fault(
      'config-invalid',
      `There is no home at ${home}. \`quorum init ${dir}\` writes a first one.`,
    )
  }
  const known: Known = { problems: await lookAround(home), placed: new Map(), written: new Map() }
  const agents = await readAgents(home, known)
  const tools = await readOne(home, 'mcp.json', McpFile, env, known)
  const lock = await readLock(home, known)
  const policy = await readOne(home, 'policy.yaml', PolicyFile, env, known)
  const models = await readOne(home, 'models.yaml', ModelsFile, env, known)
  const budgets = await readOne(home, 'budgets.yaml', BudgetsFile, env, known)
  const sources = await readOne(home, 'sources.yaml', SourcesFile, env, known)
  // Whoever is about to accept tools may have written the rules for them already.
  const held = options.accepting ? undefined : lock
  checkTogether({ agents, tools, policy, lock: held, models, budgets, sources, env }, known)
  if (known.problems.length > 0) {
    const lines = formatProblems(known.problems)
    const count = lines.length === 1 ? 'a problem' : `${lines.length} problems`
    throw new Fault('config-invalid', [`The home ${home} has ${count}:`, ...lines].join('\n'))
  }
  return {
    dir: home,
    agents,
    servers: mapValues(tools?.mcpServers ?? {}, (server) => placeServer(server, home)),
    written: writtenServers(known.written.get('mcp.json')),
    policy: policy ?? PolicyFile.parse({}),
    lock,
    models,
    budgets: budgets ?? BudgetsFile.parse({}),
    sources: mapValues(sources?.sources ?? {}, (source) => ({
      ...source,
      ...('directory' in source ? { directory: resolve(home, source.directory) } : {}),
    })),
    retention: sources?.retention ?? { inbox: 7 },
  }
}

/** Finds files that were probably meant to be read but carry another name. */
async function lookAround(home: string): Promise<Problem[]> {
  const names = await readdir(home)
  return names
    .filter((name) => /\.(ya?ml|jsonc?)$/i.test(name) && !FILES.includes(name) && name !== LOCK)
    .flatMap((file) => {
      const meant = nearest(file, FILES)
      if (meant === undefined || names.includes(meant)) return []
      return [{ file, what: `this file is not read; did you mean "${meant}"?` }]
    })
}

async function readAgents(home: string, known: Known): Promise<Agent[]> {
  const entries = await readdir(join(home, 'agents')).catch(() => [])
  const files = entries.filter((name) => name.endsWith('.md') && !name.startsWith('.')).toSorted()
  if (files.length === 0) {
    known.problems.push({ file: 'agents', what: 'there is no agent; write one as agents/<name>.md' })
  }
  const agents = await Promise.all(files.map((name) => readAgent(home, `agents/${name}`, known)))
  return agents.filter((agent) => agent !== undefined)
}

async function readAgent(home: string, file: string, known: Known): Promise<Agent | undefined> {
  const text = await readText(home, file, known)
  if (text === undefined) return undefined
  const { front, body } = readFront(text)
  known.placed.set(file, front)
  const report = (line: number, what: string) => known.problems.push({ file, line, what })
  if (front.errors.length > 0) {
    for (const { line, what } of front.errors) report(line, what)
    return undefined
  }
  if (body === '') report(1, 'there are no instructions below the front matter')
  const own = basename(file, '.md')
  const written = front.value ?? {}
  const value = typeof written === 'object' && !Array.isArray(written) ? { name: own, ...written } : written
  const checked = checkFile(AgentFront, { ...front, value })
  if (!checked.ok) {
    for (const { line, what } of checked.problems) report(line, what)
    return undefined
  }
  if (checked.value.name !== own) {
    report(front.lineOf(['name']), `"name" must be "${own}", as the file is called, or be left out`)
  }
  return { ...checked.value, instructions: body }
}

/** Reads one file of the home's top; undefined where it is missing or wrong. */
async function readOne<S extends z.ZodType>(
  home: string,
  file: string,
  schema: S,
  env: Environment,
  known: Known,
): Promise<z.infer<S> | undefined> {
  const text = await readText(home, file, known)
  if (text === undefined) return undefined
  const read = file.endsWith('.json') ? readJson(text) : readYaml(text)
  const report = (problems: { line: number; what: string }[]) =>
    known.problems.push(...problems.map((problem) => ({ file, ...problem })))
  report(read.errors)
  if (read.errors.length > 0) return undefined
  if (read.value === undefined) return undefined
  known.written.set(file, read.value)
  const { placed, problems } = expandFile(read, env)
  report(problems)
  known.placed.set(file, placed)
  const checked = checkFile(schema, placed)
  if (checked.ok) return checked.value
  report(checked.problems)
  return undefined
}

/** tools.lock.json holds what servers sent: nothing in it is replaced from the environment. */
async function readLock(home: string, known: Known): Promise<Lock | undefined> {
  const text = await readText(home, LOCK, known)
  if (text === undefined) return undefined
  const read = readJson(text)
  const report = (problems: { line: number; what: string }[]) => {
    known.problems.push(...problems.map((problem) => ({ file: LOCK, ...problem })))
    return undefined
  }
  if (read.errors.length > 0) return report(read.errors)
  known.placed.set(LOCK, read)
  const checked = checkFile(LockFile, read)
  return checked.ok ? checked.value : report(checked.problems)
}

/** The lock of a home alone, for whoever notices that it changed. @throws Fault `config-invalid` */
export async function readLockOf(dir: string): Promise<Lock | undefined> {
  const known: Known = { problems: [], placed: new Map(), written: new Map() }
  const lock = await readLock(resolve(dir), known)
  if (known.problems.length > 0) throw new Fault('config-invalid', formatProblems(known.problems).join('\n'))
  return lock
}

function writtenServers(file: unknown): Record<string, unknown> {
  const { mcpServers, servers } = Object(file) as { mcpServers?: unknown; servers?: unknown }
  return Object(mcpServers ?? servers ?? {}) as Record<string, unknown>
}

async function readText(home: string, file: string, known: Known): Promise<string | undefined> {
  const report = (what: string) => {
    known.problems.push({ file, what })
    return undefined
  }
  try {
    const bytes = await readFile(join(home, file))
    const most = file === LOCK ? LARGEST_LOCK : LARGEST
    if (bytes.length > most * 1024 * 1024) return report(`the file is larger than ${most} MiB`)
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (error instanceof TypeError) return report('the file is not UTF-8 text')
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return code === 'ENOENT' ? undefined : report(`the file cannot be read (${code})`)
  }
}

function placeServer(server: ToolServer, home: string): ToolServer {
  return 'command' in server && server.cwd !== undefined
    ? { ...server, cwd: resolve(home, server.cwd) }
    : server
}

function mapValues<V, W>(record: Record<string, V>, change: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
