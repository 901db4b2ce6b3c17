/** Which of the tools a server lists are accepted, and under which names. */
import type { Tool } from '@modelcontextprotocol/client'
import type { CatalogueTool, Hints } from '../core/catalogue.ts'
import { suggestEffect } from '../core/effect.ts'
import { definitionHash, sha256 } from './bind.ts'

const MAX_TOOLS = 128
const MAX_NAME = 64
const MAX_DESCRIPTION = 2_000
const MAX_SCHEMA_BYTES = 64 * 1024

/** An accepted tool with the definition as its server sent it. */
export type Accepted = CatalogueTool & { definition: Tool }

/**
 * The acceptable tools of one server, sorted by name, and one sentence for each that is not: names other than
 * `[A-Za-z0-9_.-]{1,128}`, names used twice, schemas over 64 kB, and everything after the first 128.
 */
export function acceptTools(
  server: string,
  serverHash: string,
  definitions: Tool[],
): { tools: Accepted[]; refused: string[] } {
  const refused: string[] = []
  const byName = new Map<string, Accepted[]>()
  for (const definition of definitions) {
    const why = refusal(definition)
    if (why !== undefined) {
      refused.push(why)
      continue
    }
    const accepted = accept(server, serverHash, definition)
    byName.set(accepted.name, [...(byName.get(accepted.name) ?? []), accepted])
  }
  const tools: Accepted[] = []
  for (const [name, same] of [...byName].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [only] = same
    if (same.length > 1) refused.push(`"${name}" is the name of ${same.length} tools`)
    else if (tools.length >= MAX_TOOLS) refused.push(`"${name}" is beyond the first ${MAX_TOOLS} tools`)
    else if (only) tools.push(only)
  }
  return { tools, refused }
}

/**
 * The name models and policy see: `server__tool`, at most 64 letters, digits, `_` and `-`. A dot becomes `_`,
 * and the tail of a longer name becomes a hash of the whole.
 */
export function catalogueName(server: string, tool: string): string {
  const full = `${server}__${tool}`
  if (full.length <= MAX_NAME) return full.replaceAll('.', '_')
  return `${full.slice(0, MAX_NAME - 9).replaceAll('.', '_')}_${sha256(full).slice(0, 8)}`
}

function refusal(definition: Tool): string | undefined {
  const shown = JSON.stringify(definition.name.slice(0, 80))
  // `__proto__` cannot be a key of the lock as other names can.
  if (!/^(?!__proto__$)[A-Za-z0-9_.-]{1,128}$/.test(definition.name))
    return `${shown} is not a name for a tool`
  if (Buffer.byteLength(JSON.stringify(definition.inputSchema)) > MAX_SCHEMA_BYTES) {
    return `the schema of ${shown} is larger than 64 kB`
  }
  try {
    definitionHash(definition)
    return undefined
  } catch {
    return `the definition of ${shown} is nested too deeply`
  }
}

function accept(server: string, serverHash: string, definition: Tool): Accepted {
  const { name, annotations } = definition
  return {
    name: catalogueName(server, name),
    server,
    tool: name,
    ...readDefinition(definition),
    hints: hintsOf(annotations),
    ...suggestEffect({ ...definition, inputSchema: definition.inputSchema as Record<string, unknown> }),
    definitionHash: definitionHash(definition),
    serverHash,
    definition,
  }
}

/** What people and models are shown of a definition. */
export function readDefinition(definition: {
  name: string
  title?: string | undefined
  description?: string | undefined
  inputSchema: object
  annotations?: { title?: unknown } | undefined
}): Pick<CatalogueTool, 'title' | 'description' | 'inputSchema'> {
  const { name, title, description, inputSchema, annotations } = definition
  const hinted = typeof annotations?.title === 'string' ? annotations.title : undefined
  return {
    title: clean(title ?? hinted ?? name).slice(0, 200),
    description: cut(clean(description ?? '')),
    inputSchema: inputSchema as Record<string, unknown>,
  }
}

/** What the server claims of the tool; anything but a yes or no is no claim. */
export function hintsOf(annotations: Record<string, unknown> | undefined): Hints {
  const names = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const
  return Object.fromEntries(
    names.flatMap((name) => (typeof annotations?.[name] === 'boolean' ? [[name, annotations[name]]] : [])),
  )
}

function cut(text: string): string {
  return text.length <= MAX_DESCRIPTION ? text : clean(`${text.slice(0, MAX_DESCRIPTION - 1)}…`)
}

/** Text a database and a model can take: no NUL, no half characters. */
function clean(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed()
}
