/** What accepting the tools of a server means, line by line, for the person who is asked. */
import type { Lock } from '../core/lock.ts'
import type { Effect } from '../core/rules.ts'
import type { Accepted } from '../tools/accept.ts'
import { differences, reveal, textsOf } from '../tools/difference.ts'
import { lookAlikes, suspicions } from '../tools/names.ts'
import type { Tools } from '../tools/open.ts'
import { catalogueOf, definitionOf, holdAgainst, type Withdrawn } from '../tools/pins.ts'

export type ListedServer = Awaited<ReturnType<Tools['listed']>>[number]

/**
 * What accepting a server would change: its entry (tool `*`), tools that are new, other or gone, or an effect that is
 * wished; of the tools `only` where they are given.
 */
export function changesOf(
  lock: Lock | undefined,
  server: ListedServer,
  effects: Readonly<Record<string, Effect>>,
  only: readonly string[] | undefined,
): Withdrawn[] {
  const known = pinsOf(lock, server.server)
  const { withdrawn, tools } = holdAgainst(lock, server.server, server.config, server.tools)
  const wished = tools.filter(({ name, effect }) => (effects[name] ?? effect) !== effect).map(asFound)
  const isNew = !Object.hasOwn(lock?.servers ?? {}, server.server)
  const first: Withdrawn = { server: server.server, tool: '*', kind: 'new' }
  const entry = isNew ? [first] : withdrawn.filter(({ tool }) => tool === '*')
  // Of another entry everything is looked at again, beside what was accepted of the one before.
  const anew = entry.length > 0 ? [...server.tools.map(asFound), ...goneOf(known, server)] : []
  const all = entry.length > 0 ? anew : [...withdrawn, ...wished]
  return [...entry, ...all.filter(({ tool }) => only?.includes(tool) ?? true)].map((one) => {
    const accepted = one.accepted ?? known[one.tool]?.definition
    const kind = one.kind === 'changed' && !accepted ? 'new' : one.kind
    return { ...one, kind, ...(accepted ? { accepted } : {}) }
  })
}

function asFound(tool: Accepted): Withdrawn {
  return { server: tool.server, tool: tool.tool, kind: 'changed', found: definitionOf(tool) }
}

function goneOf(known: Pins, { server, tools }: ListedServer): Withdrawn[] {
  const names = new Set(tools.map(({ tool }) => tool))
  return Object.entries(known).flatMap(([tool, { definition }]) =>
    names.has(tool) ? [] : [{ server, tool, kind: 'gone', accepted: definition }],
  )
}

type Pins = Lock['servers'][string]['tools']

function pinsOf(lock: Lock | undefined, server: string): Pins {
  const servers = lock?.servers ?? {}
  return (Object.hasOwn(servers, server) && servers[server]?.tools) || {}
}

/** The lock before and after, and the server's entry as mcp.json writes it. */
type Step = { before: Lock | undefined; next: Lock; entry: unknown }

/** Every change whole: nothing that is accepted stays unseen. What a server wrote stands behind a bar. */
export function* tellChanges(
  { before, next, entry }: Step,
  server: ListedServer,
  changes: readonly Withdrawn[],
  all: readonly ListedServer[],
): Generator<string> {
  const others = all
    .filter((one) => one.server !== server.server)
    .flatMap((one) => one.tools.map(({ name }) => name))
  const [old, now] = [pinsOf(before, server.server), pinsOf(next, server.server)]
  for (const { tool, kind, accepted, found } of changes) {
    if (tool === '*') {
      yield kind === 'new' ? 'new; its entry in mcp.json' : 'changed; its entry in mcp.json is now'
      yield* entryLines(entry)
      continue
    }
    const sign = kind === 'gone' ? '-' : accepted ? '~' : '+'
    yield `${sign} ${reveal(tool)}${kind === 'gone' ? ': the server does not have it any more' : tellPin(old[tool], now[tool])}`
    if (kind === 'gone') continue
    for (const { part, before: was, after } of differences(accepted, found)) {
      if (was !== undefined) yield* block(`- ${part}`, was)
      if (after !== undefined) yield* block(`${accepted ? '+ ' : ''}${part}`, after)
    }
    for (const doubt of suspicions(textsOf(found).join('\n'), others)) yield `    ! ${reveal(doubt)}`
  }
}

type Pin = Pins[string]

function tellPin(old: Pin | undefined, now: Pin | undefined): string {
  if (!now) return ''
  const effect = old && old.effect !== now.effect ? `${old.effect} → ${now.effect}` : now.effect
  return `: ${effect}; decides by ${reveal(now.sensitive.join(', ')) || 'nothing'}`
}

/** The entry as written; of what may be secret only the names. */
function* entryLines(entry: unknown): Generator<string> {
  for (const [key, value] of Object.entries(Object(entry))) {
    const named = key === 'env' || key === 'headers' || key === 'auth'
    const names = () => Object.keys(Object(value)).join(', ')
    const shown = named ? names() : typeof value === 'string' ? value : JSON.stringify(value)
    yield* block(key, reveal(shown))
  }
}

/** A text of others behind a bar, so that none of its lines passes for one of ours. */
function* block(head: string, text: string): Generator<string> {
  const [first = '', ...rest] = text.split('\n')
  yield `    ${head}: ${first}`
  for (const line of rest) yield `    | ${line}`
}

/** What is accepted and yet not offered, because people could take one for the other. */
export function tooAlike(lock: Lock | undefined): string[] {
  const servers = lookAlikes(Object.keys(lock?.servers ?? {}))
  const names = catalogueOf(lock).map(({ name }) => name)
  const tools = lookAlikes(names)
  const twice = new Set(names.filter((name, i) => names.indexOf(name) !== i))
  const sentence = (what: string, group: string[]) =>
    `Too alike to tell apart, so ${what} is offered: ${group.toSorted().join(', ')}`
  return [
    ...servers.map((group) => sentence('no tool of these servers', group)),
    ...tools.map((group) => sentence('none of these', group)),
    ...[...twice].map((name) => sentence('neither tool of this name', [name])),
  ]
}
