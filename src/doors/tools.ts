/** `quorum tools list` and `quorum tools accept`: which tools a person has accepted, and accepting more. */
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { Fault } from '../core/fault.ts'
import type { Home } from '../core/home.ts'
import type { Lock } from '../core/lock.ts'
import { Effect } from '../core/rules.ts'
import { writeLock } from '../home/lock.ts'
import type { Accepted } from '../tools/accept.ts'
import { differences } from '../tools/difference.ts'
import { lookAlikes, suspicions } from '../tools/names.ts'
import type { Tools } from '../tools/open.ts'
import { acceptInto, definitionOf, holdAgainst, type Withdrawn } from '../tools/pins.ts'

type Context = {
  home: Home
  tools: Pick<Tools, 'listed'>
  print: (line: string) => void
  /** Asks a question that is answered with yes or no; absent where nobody is there to answer. */
  ask?: (question: string) => Promise<boolean>
}

const TOOLS_USAGE = `quorum tools list
quorum tools accept [SERVER…] [--all] [--effect SERVER__TOOL=read|egress_read|write]`

type ListedServer = Awaited<ReturnType<Tools['listed']>>[number]

/** Answers the exit code: 1 where something waits to be accepted or could not be listed. */
export async function toolsDoor(args: string[], context: Context): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { all: { type: 'boolean', default: false }, effect: { type: 'string', multiple: true } },
  })
  const [word, ...servers] = positionals
  if (word === 'list' && servers.length === 0) return list(context)
  if (word !== 'accept') {
    context.print(`Usage: ${TOOLS_USAGE}`)
    return 2
  }
  const unknown = servers.find((server) => !Object.hasOwn(context.home.servers, server))
  if (unknown) throw new Fault('config-invalid', `There is no server ${unknown} in mcp.json.`)
  return accept(context, { servers, all: values.all, effects: readEffects(values.effect ?? []) })
}

async function list({ home, tools, print }: Context): Promise<number> {
  let waiting = 0
  for (const server of await tools.listed()) {
    const { tools: held, withdrawn } = holdAgainst(home.lock, server.server, server.config, server.tools)
    print(`${server.server}: ${held.length} accepted${server.why ? `, not reached: ${server.why}` : ''}`)
    for (const tool of held) print(`  ✓ ${tool.name.padEnd(44)} ${tool.effect}`)
    if (server.why) continue
    for (const one of withdrawn) print(`  ! ${`${one.server}__${one.tool}`.padEnd(44)} ${KIND[one.kind]}`)
    waiting += withdrawn.length
  }
  if (waiting > 0)
    print('\nWhat is marked ! is neither offered nor called. To look at it and accept: quorum tools accept')
  return waiting > 0 ? 1 : 0
}

const KIND: Record<Withdrawn['kind'], string> = {
  new: 'new: nobody has accepted it',
  changed: 'changed since it was accepted',
  'server-changed': 'the command or address of the server changed since it was accepted',
  gone: 'accepted, but the server does not have it any more',
}

type Wish = { servers: string[]; all: boolean; effects: Record<string, Effect> }

async function accept(context: Context, wish: Wish): Promise<number> {
  const { home, print } = context
  const listed = (await context.tools.listed()).filter(
    ({ server }) => wish.servers.length === 0 || wish.servers.includes(server),
  )
  refuseUnknown(wish.effects, listed)
  let lock = home.lock
  let open = 0
  for (const server of listed) {
    if (server.why) {
      print(`${server.server}: not reached: ${server.why}`)
      open += 1
      continue
    }
    const changes = changesOf(lock, server, wish)
    if (changes.length === 0) {
      print(`${server.server}: nothing to accept, all ${server.tools.length} tools are`)
      continue
    }
    print(`${server.server}:`)
    for (const line of tellChanges(lock, server, changes, wish, listed)) print(`  ${line}`)
    if (!(wish.all || (await context.ask?.(`Accept all of this for ${server.server}?`)))) {
      open += 1
      continue
    }
    lock = acceptInto(lock, server.server, server.config, server.tools, wish.effects)
  }
  const alike = lookAlikes(listed.flatMap(({ tools }) => tools.map(({ name }) => name)))
  for (const group of alike) print(`Too alike to tell apart, so none of them is offered: ${group.join(', ')}`)
  if (lock && lock !== home.lock) {
    await writeLock(home.dir, dropGone(lock, home))
    print('Written: tools.lock.json. Keep it in git beside the rest of the home.')
  }
  if (open > 0 && !context.ask && !wish.all)
    print('Nobody was there to ask. To accept all of it: quorum tools accept --all')
  return open > 0 ? 1 : 0
}

/** What accepting a server would change: tools that are new, other or gone, its entry, or an effect that is wished. */
function changesOf(lock: Lock | undefined, server: ListedServer, { effects }: Wish): Withdrawn[] {
  const { withdrawn, tools } = holdAgainst(lock, server.server, server.config, server.tools)
  const wished = tools
    .filter((tool) => effects[tool.name] !== undefined && effects[tool.name] !== tool.effect)
    .map(
      (tool): Withdrawn => ({
        server: tool.server,
        tool: tool.tool,
        kind: 'changed',
        accepted: definitionOf(tool),
        found: definitionOf(tool),
      }),
    )
  return [...withdrawn, ...wished]
}

function* tellChanges(
  lock: Lock | undefined,
  server: ListedServer,
  changes: readonly Withdrawn[],
  { effects }: Wish,
  all: readonly ListedServer[],
): Generator<string> {
  const others = all
    .filter((one) => one.server !== server.server)
    .flatMap((one) => one.tools.map(({ name }) => name))
  const accepted = acceptInto(lock, server.server, server.config, server.tools, effects).servers[
    server.server
  ]
  const whole = changes.some(({ tool }) => tool === '*')
  if (whole) yield KIND[changes[0]?.kind ?? 'new']
  const tools = whole ? server.tools.map((tool): Withdrawn => asNew(tool)) : changes
  for (const { tool, kind, accepted: before, found } of tools) {
    const pin = accepted?.tools[tool]
    const effect = pin ? `: ${pin.effect}; decides by ${pin.sensitive.join(', ') || 'nothing'}` : ''
    yield `${kind === 'gone' ? '-' : kind === 'changed' ? '~' : '+'} ${tool}${effect}`
    for (const { part, before: old, after } of differences(before, found)) {
      if (before && old !== undefined) yield `    - ${part}: ${short(old)}`
      if (after !== undefined) yield `    ${before ? '+ ' : ''}${part}: ${short(after)}`
    }
    const words = [found?.title, found?.description, JSON.stringify(found?.inputSchema ?? {})].join('\n')
    for (const doubt of suspicions(words, others)) yield `    ! ${doubt}`
  }
}

function asNew(tool: Accepted): Withdrawn {
  return { server: tool.server, tool: tool.tool, kind: 'new', found: definitionOf(tool) }
}

function short(text: string): string {
  const flat = text.replace(/\s+/g, ' ')
  return flat.length > 300 ? `${flat.slice(0, 299)}…` : flat
}

/** Servers that mcp.json does not have any more are forgotten. */
function dropGone(lock: Lock, home: Home): Lock {
  const servers = Object.entries(lock.servers).filter(([name]) => Object.hasOwn(home.servers, name))
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
