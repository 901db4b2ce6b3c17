/** `quorum tools list` and `quorum tools accept`: which tools a person has accepted, and accepting more. */
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { Fault } from '../core/fault.ts'
import type { Home } from '../core/home.ts'
import type { Lock } from '../core/lock.ts'
import { Effect } from '../core/rules.ts'
import { writeLock } from '../home/lock.ts'
import { catalogueName } from '../tools/accept.ts'
import { reveal } from '../tools/difference.ts'
import type { Tools } from '../tools/open.ts'
import { acceptInto, holdAgainst, type Withdrawn } from '../tools/pins.ts'
import { changesOf, type ListedServer, tellChanges, tooAlike } from './accepting.ts'

type Context = {
  home: Home
  tools: Pick<Tools, 'listed'>
  print: (line: string) => void
  /** Asks a question that is answered with yes or no; absent where nobody is there to answer. */
  ask?: (question: string) => Promise<boolean>
}

const TOOLS_USAGE = `quorum tools list
quorum tools accept [SERVER | SERVER__TOOL …] [--all] [--effect SERVER__TOOL=read|egress_read|write]`

/** Answers the exit code: 1 where something waits to be accepted or could not be listed. */
export async function toolsDoor(args: string[], context: Context): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { all: { type: 'boolean', default: false }, effect: { type: 'string', multiple: true } },
  })
  const [word, ...names] = positionals
  if (word === 'list' && names.length === 0) return list(context)
  if (word !== 'accept') {
    context.print(`Usage: ${TOOLS_USAGE}`)
    return 2
  }
  const wish = { names, all: values.all, effects: readEffects(values.effect ?? []) }
  return accept(context, wish)
}

async function list({ home, tools, print }: Context): Promise<number> {
  let waiting = 0
  for (const server of await tools.listed()) {
    const { tools: held, withdrawn } = holdAgainst(home.lock, server.server, server.config, server.tools)
    print(
      `${server.server}: ${held.length} accepted${server.why ? `, not reached: ${reveal(server.why)}` : ''}`,
    )
    if (server.why) {
      waiting += 1
      continue
    }
    for (const { name, effect, sensitive } of held)
      print(`  ✓ ${name.padEnd(44)} ${effect.padEnd(11)} ${reveal(sensitive.join(', '))}`.trimEnd())
    for (const one of withdrawn)
      print(`  ! ${reveal(`${one.server}__${one.tool}`).padEnd(44)} ${KIND[one.kind]}`)
    waiting += withdrawn.length
  }
  for (const name of goneServers(home, [])) {
    print(`${name}: accepted, but mcp.json does not have it any more`)
    waiting += 1
  }
  if (waiting > 0)
    print('\nWhat is marked ! is neither offered nor called. To look at it and accept: quorum tools accept')
  for (const sentence of tooAlike(home.lock)) print(sentence)
  return waiting > 0 ? 1 : 0
}

const KIND: Record<Withdrawn['kind'], string> = {
  new: 'new: nobody has accepted it',
  changed: 'changed since it was accepted',
  removed: 'its server is not in mcp.json any more',
  'server-changed': 'the command or address of the server changed since it was accepted',
  gone: 'accepted, but the server does not have it any more',
}

/** `names` are servers, or tools as `server__tool`; everything where there is none. */
type Wish = { names: string[]; all: boolean; effects: Record<string, Effect> }

async function accept(context: Context, wish: Wish): Promise<number> {
  const { home, print } = context
  const all = await context.tools.listed()
  const chosen = choose(all, home.lock, wish.names)
  refuseUnknown(wish.effects, all)
  let lock = home.lock
  let open = 0
  const agree = async (question: string) => {
    const yes = wish.all || ((await context.ask?.(question)) ?? false)
    if (!yes) open += 1
    return yes
  }
  for (const [server, only] of chosen) {
    if (server.why) {
      print(`${server.server}: not reached: ${reveal(server.why)}`)
      open += 1
      continue
    }
    const changes = changesOf(lock, server, wish.effects, only)
    if (changes.length === 0) {
      print(`${server.server}: nothing to accept${only ? ` of ${only.join(', ')}` : ''}`)
      continue
    }
    const next = acceptInto(lock, server.server, server.config, server.tools, wish.effects, only)
    print(`${server.server}:`)
    const entry = home.written[server.server]
    for (const line of tellChanges({ before: lock, next, entry }, server, changes, all)) print(`  ${line}`)
    if (await agree(`Accept all of this for ${server.server}?`)) lock = next
  }
  for (const name of goneServers(home, wish.names)) {
    print(`${name}: accepted, but mcp.json does not have it any more`)
    if (lock && (await agree(`Forget what was accepted of ${name}?`))) lock = without(lock, name)
  }
  for (const sentence of tooAlike(lock)) print(sentence)
  if (lock && lock !== home.lock) {
    await writeLock(home.dir, lock)
    print('Written: tools.lock.json. Keep it in git beside the rest of the home.')
  }
  if (open > 0 && !context.ask && !wish.all)
    print('Nobody was there to ask. To accept all of it: quorum tools accept --all')
  return open > 0 ? 1 : 0
}

/** The servers that are meant, each with the tools (names it gives) that are meant alone. */
function choose(
  all: readonly ListedServer[],
  lock: Lock | undefined,
  names: readonly string[],
): [ListedServer, string[] | undefined][] {
  const chosen = new Map<ListedServer, string[] | undefined>()
  for (const name of names) {
    const server = all.find((one) => one.server === name)
    if (server) chosen.set(server, undefined)
    const [at, tool] = server ? [undefined, undefined] : findTool(all, lock, name)
    if (at && tool && !(chosen.has(at) && chosen.get(at) === undefined))
      chosen.set(at, [...(chosen.get(at) ?? []), tool])
    const gone = Object.hasOwn(lock?.servers ?? {}, name)
    if (!server && !at && !gone) throw new Fault('config-invalid', unknownName(all, name))
  }
  return names.length === 0 ? all.map((server) => [server, undefined]) : [...chosen]
}

/** A tool that a server lists or that was accepted of it, by its catalogue name or as its server calls it. */
function findTool(
  all: readonly ListedServer[],
  lock: Lock | undefined,
  name: string,
): [ListedServer, string] | [undefined, undefined] {
  for (const server of all) {
    const accepted = Object.entries(lock?.servers ?? {}).find(([one]) => one === server.server)
    const tools = [...server.tools.map(({ tool }) => tool), ...Object.keys(accepted?.[1].tools ?? {})]
    const tool = tools.find((one) =>
      [catalogueName(server.server, one), `${server.server}__${one}`].includes(name),
    )
    if (tool !== undefined) return [server, tool]
  }
  return [undefined, undefined]
}

function unknownName(all: readonly ListedServer[], name: string): string {
  const server = all.find((one) => name.startsWith(`${one.server}__`))
  if (server?.why) return `${server.server} was not reached: ${reveal(server.why)}.`
  return server
    ? `${server.server} has no tool ${name}.`
    : `There is no server ${name.split('__')[0]} in mcp.json.`
}

/** Accepted servers that mcp.json does not have any more; of `names`, where there are any. */
function goneServers({ lock, servers }: Home, names: readonly string[]): string[] {
  return Object.keys(lock?.servers ?? {}).filter(
    (name) => !Object.hasOwn(servers, name) && (names.length === 0 || names.includes(name)),
  )
}

function without(lock: Lock, name: string): Lock {
  const servers = Object.entries(lock.servers).filter(([one]) => one !== name)
  return { ...lock, servers: Object.fromEntries(servers) }
}

function readEffects(wishes: readonly string[]): Record<string, Effect> {
  return Object.fromEntries(
    wishes.map((wish) => {
      const [name = '', effect = ''] = wish.split('=', 2)
      const read = Effect.safeParse(effect)
      if (name === '' || !read.success)
        throw new Fault(
          'config-invalid',
          `--effect is written as server__tool=read, egress_read or write, not ${wish}.`,
        )
      return [name, read.data]
    }),
  )
}

function refuseUnknown(effects: Record<string, Effect>, listed: readonly ListedServer[]): void {
  const known = listed.flatMap(({ tools }) => tools.map(({ name }) => name))
  const unknown = Object.keys(effects).find((name) => !known.includes(name))
  if (unknown) throw new Fault('config-invalid', `--effect names ${unknown}, which no server lists.`)
}

/** Asks on the terminal; undefined where there is none. */
export function askTerminal(): Context['ask'] {
  if (!process.stdin.isTTY) return undefined
  return async (question) => {
    const terminal = createInterface({ input: process.stdin, output: process.stdout })
    try {
      return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())
    } finally {
      terminal.close()
    }
  }
}
