/** Holding what servers list against what a person accepted (tools.lock.json). */
import type { CatalogueTool } from '../core/catalogue.ts'
import { suggestEffect } from '../core/effect.ts'
import type { Definition, Lock, Pin } from '../core/lock.ts'
import type { Effect } from '../core/rules.ts'
import { type Accepted, catalogueName, hintsOf, readDefinition } from './accept.ts'
import { definitionHash } from './bind.ts'

/**
 * A tool that is not offered, and why. `gone`: accepted, and its server does not list it any more; `removed`: its
 * server does not stand in mcp.json any more.
 */
export type Withdrawn = {
  server: string
  /** As the server calls it; `*` stands for all of a server. */
  tool: string
  kind: 'new' | 'changed' | 'server-changed' | 'gone' | 'removed'
  accepted?: Definition
  found?: Definition
}

/** Whether a server's entry in mcp.json is the accepted one. */
export function isAcceptedServer(lock: Lock | undefined, server: string, config: string): boolean {
  return ownOf(lock?.servers, server)?.config === config
}

/**
 * The listed tools that are accepted, as they were accepted, and what is withdrawn. Any difference in a definition
 * or in the server's entry withdraws; a pin whose hash is not that of its own definition accepts nothing.
 *
 * @param config hash of the server's entry as mcp.json writes it
 */
export function holdAgainst(
  lock: Lock | undefined,
  server: string,
  config: string,
  listed: readonly Accepted[],
): { tools: Accepted[]; withdrawn: Withdrawn[] } {
  const known = ownOf(lock?.servers, server)
  if (known && known.config !== config) {
    return { tools: [], withdrawn: [{ server, tool: '*', kind: 'server-changed' }] }
  }
  if (!known && listed.length === 0) return { tools: [], withdrawn: [{ server, tool: '*', kind: 'new' }] }
  const tools: Accepted[] = []
  const withdrawn: Withdrawn[] = []
  for (const tool of listed) {
    const pin = ownOf(known?.tools, tool.tool)
    if (pin && pin.hash === tool.definitionHash && isWhole(tool.tool, pin)) {
      tools.push({ ...tool, effect: pin.effect, sensitive: pin.sensitive })
      continue
    }
    const found = definitionOf(tool)
    const kind = pin ? 'changed' : 'new'
    withdrawn.push({ server, tool: tool.tool, kind, found, ...(pin ? { accepted: pin.definition } : {}) })
  }
  const names = new Set(listed.map((tool) => tool.tool))
  for (const [tool, pin] of Object.entries(known?.tools ?? {})) {
    if (!names.has(tool)) withdrawn.push({ server, tool, kind: 'gone', accepted: pin.definition })
  }
  return { tools, withdrawn }
}

/** Every accepted tool, as far as the lock alone tells; no server is asked. */
export function catalogueOf(lock: Lock | undefined): CatalogueTool[] {
  return Object.entries(lock?.servers ?? {}).flatMap(([server, { tools, config }]) =>
    Object.entries(tools)
      .filter(([tool, pin]) => isWhole(tool, pin))
      .map(([tool, pin]) => ({
        name: catalogueName(server, tool),
        server,
        tool,
        ...readDefinition({ name: tool, ...pin.definition }),
        hints: hintsOf(pin.definition.annotations),
        effect: pin.effect,
        sensitive: pin.sensitive,
        definitionHash: pin.hash,
        serverHash: config,
      })),
  )
}

/** The catalogue names of a server's accepted tools: of one, or of all where `tool` is `*`. */
export function namesOf(lock: Lock | undefined, server: string, tool: string): string[] {
  const tools = Object.keys(ownOf(lock?.servers, server)?.tools ?? {})
  return tools.filter((one) => tool === '*' || one === tool).map((one) => catalogueName(server, one))
}

/**
 * The lock with these tools of a server accepted, and nothing else of that server; with `only` (names the server
 * gives) these alone are accepted or forgotten, and what was accepted of the same entry stays as it was.
 */
export function acceptInto(
  lock: Lock | undefined,
  server: string,
  config: string,
  tools: readonly Accepted[],
  effects: Readonly<Record<string, Effect>> = {},
  only?: readonly string[],
): Lock {
  const before = ownOf(lock?.servers, server)
  const stays = only && before?.config === config ? Object.entries(before.tools) : []
  const chosen = only ? tools.filter(({ tool }) => only.includes(tool)) : tools
  const pins = chosen.map((tool): [string, Pin] => {
    const kept = ownOf(before?.tools, tool.tool)
    const same = kept?.hash === tool.definitionHash ? kept : undefined
    const proposed = same ?? suggestEffect(tool.definition)
    const effect = effects[tool.name] ?? proposed.effect
    const { sensitive } = proposed
    return [tool.tool, { hash: tool.definitionHash, effect, sensitive, definition: definitionOf(tool) }]
  })
  const all = [...stays.filter(([tool]) => !only?.includes(tool)), ...pins]
  const servers = { ...lock?.servers, [server]: { config, tools: Object.fromEntries(all) } }
  return { version: 1, servers }
}

/** A definition as it is kept and compared: what the hash is made of. */
export function definitionOf({ definition }: Accepted): Definition {
  const { title, description, inputSchema, outputSchema, annotations } = definition
  return JSON.parse(JSON.stringify({ title, description, inputSchema, outputSchema, annotations }))
}

function isWhole(name: string, pin: Pin): boolean {
  return definitionHash({ name, ...pin.definition }) === pin.hash
}

function ownOf<V>(record: Readonly<Record<string, V>> | undefined, key: string): V | undefined {
  return record && Object.hasOwn(record, key) ? record[key] : undefined
}
