/** Turns what a person wants done into tool calls, or into a question where something is missing. */
import { type Filled, fill, type Schema } from './fill.ts'
import type { PastCall, WireTool } from './read.ts'
import { type Clause, filesIn, joinClauses, readClauses, sameDeed } from './request.ts'
import { stems } from './words.ts'

type Tool = WireTool['function']
/** One thing to be done; without a tool where none does it. */
export type Deed = { clause: Clause; tool: Tool | undefined; filled: Filled }

const MEMORY = /\b(memory|memori[sz]e|remember|recall|forget|note|reminder|graph|entit|node|observation)/i
const FILE = /\b(files?|documents?)\b/i
const WORDS = /content|text|body|message|observation/i
const FOLDER = /\b(folders?|director(y|ies)|dir)\b/i

/**
 * What a text asks for, clause by clause. A clause that only adds to the one before is taken into it; `named` is
 * the file that `it` means until another one is named.
 */
export function planDeeds(text: string, tools: Tool[], named?: string): Deed[] {
  const deeds: Deed[] = []
  let file = named
  for (const said of readClauses(text)) {
    const before = deeds.at(-1)
    const clause = resolve(said, file)
    const own = pick(clause, tools)
    if (before?.tool && before.filled.missing.length > 0) {
      const joined = pick(joinClauses(before.clause, clause), tools)
      const adds = clause !== said || !own.tool
      if (joined.tool === before.tool && joined.filled.missing.length === 0 && adds) {
        deeds[deeds.length - 1] = joined
        continue
      }
    }
    deeds.push(own)
    file = clause.files.at(-1) ?? file
  }
  return deeds
}

/** `read it`, `write … into it`: puts the file that was named before in the place of `it`. */
function resolve(clause: Clause, file: string | undefined): Clause {
  if (file === undefined || clause.files.length > 0) return clause
  const it = /(^\w+\s+|\b(?:into|to|in|from|under)\s+)(?:it|this file|that file|the file)\b/i
  const text = clause.text.replace(it, `$1${file}`)
  return text === clause.text ? clause : { ...clause, text, files: filesIn(text) }
}

/** The tool whose name fits best, with its arguments as far as the clause holds them. */
function pick(clause: Clause, tools: Tool[]): Deed {
  const none: Deed = { clause, tool: undefined, filled: { args: {}, missing: [] } }
  let best = { score: 0, deed: none }
  for (const tool of tools) {
    const fit = suit(clause, tool)
    if (fit <= 0) continue
    const filled = fill((tool.parameters ?? {}) as Schema, clause)
    const score = fit - 0.3 * filled.missing.length
    if (score > best.score) best = { score, deed: { clause, tool, filled } }
  }
  return best.deed
}

/** How well a tool suits a clause; 0: not at all. Its verb must fit, and at least one of the things it is about. */
function suit(clause: Clause, tool: Tool): number {
  const text = clause.text.toLowerCase()
  const [server = '', own = tool.name] = tool.name.includes('__') ? tool.name.split('__') : ['', tool.name]
  if (text.includes(tool.name.toLowerCase()) || (own.includes('_') && text.includes(own.toLowerCase())))
    return 20
  const parts = own.toLowerCase().split(/[_-]/)
  const deeds = parts.map((part) => sameDeed(clause.verb, part))
  const deed = Math.max(...deeds)
  if (deed === 0) return 0
  const things = parts.filter((_, at) => at !== deeds.indexOf(deed))
  const said = new Set(stems(clause.text))
  const about = things.map((thing) => evidence(thing, clause, said))
  const found = about.reduce((sum, each) => sum + each, 0)
  if (things.length > 0 && found === 0 && !(server && text.includes(server))) return 0
  const strange = about.filter((each) => each === 0).length
  const described = stems(tool.description ?? '').filter((word) => said.has(word)).length
  const old = /deprecated/i.test(tool.description ?? '') ? 3 : 0
  return 2 + 2 * deed + found - 0.7 * strange + Math.min(0.5, described * 0.05) - old
}

/** How clearly a clause speaks of the thing a part of a tool's name stands for. */
function evidence(thing: string, { text, files, verb }: Clause, said: Set<string>): number {
  if (/^files?$/.test(thing)) return files.length > 0 ? 3 : FILE.test(text) ? 1.5 : 0
  if (/^(dir|folder|director)/.test(thing))
    return FOLDER.test(text) ? 2.5 : verb !== 'read' && FILE.test(text) ? 1 : 0
  if (/^(memory|graph|nodes?|entit|observation)/.test(thing)) return MEMORY.test(text) ? 1.5 : 0
  return stems(thing).some((word) => said.has(word)) ? 1.5 : 0
}

/** Takes the answer to {@link askFor} into the deed it was asked for. */
export function complete(deed: Deed, answer: string): Deed {
  if (!deed.tool) return deed
  const [spoken] = readClauses(`write ${answer}`)
  const later = spoken ?? { text: answer, quotes: [], files: filesIn(answer) }
  let clause = joinClauses(deed.clause, { ...later, text: answer })
  const schema = (deed.tool.parameters ?? {}) as Schema
  let filled = fill(schema, clause)
  const found = deed.filled.missing.filter((name) => !filled.missing.includes(name))
  const rest = found.length === 0 ? answer : remainder(answer, later.files)
  const [last, ...others] = filled.missing
  if (last !== undefined && others.length === 0 && rest !== '') {
    const value = rest.replace(/^["“'`]|["”'`]$/g, '').replaceAll('"', "'")
    clause = { ...clause, text: `${clause.text}, ${last}: "${value}"` }
    filled = fill(schema, clause)
  }
  return { ...deed, clause, filled }
}

/** An answer without the file it names and the words around that. */
function remainder(answer: string, files: string[]): string {
  let text = answer
  for (const file of files) text = text.replace(file, '')
  return text
    .replace(/^[\s,.:;-]*(call it|name it|named|called|in|to|as)?[\s,.:;"'`-]*/i, '')
    .replace(/^(and|with|it should say|let it say|say|saying|that)\b[\s:,]*/gi, '')
    .trim()
}

/** Asks for what is missing, in words. */
export function askFor({ tool, clause, filled }: Deed): string {
  const makes = /^(write|create|save|make|put|store|draft|add|record)$/.test(clause.verb)
  const thing = /director|folder/.test(tool?.name ?? '') ? 'folder' : 'file'
  const isNote = filled.missing.some((name) => WORDS.test(name))
  const asked = filled.missing.filter((name) => !(isNote && /^(entity_?)?(name|type)$/i.test(name)))
  const questions = asked.map((name) => {
    if (/^(destination|dest|to|new_?path|target)$/i.test(name)) return 'where should it go'
    if (/path|file|dir|source/i.test(name))
      return makes ? `what should the ${thing} be called` : `which ${thing} do you mean`
    if (WORDS.test(name)) return makes ? 'what should it say' : 'what should I note'
    if (/query|pattern|search/i.test(name)) return 'what should I look for'
    if (/name|subject|title/i.test(name)) return 'what is it about'
    return `what should \`${name}\` be`
  })
  const unique = [...new Set(questions)]
  const joined =
    unique.length > 1 ? `${unique.slice(0, -1).join(', ')}, and ${unique.at(-1)}` : (unique[0] ?? '')
  return `${joined.charAt(0).toUpperCase()}${joined.slice(1)}?`
}

/** Whether an answer of the thread ended with such a question. */
export function didAsk(answer: string): boolean {
  const last = answer.trim().split('\n').at(-1) ?? ''
  return /^(what should|which (file|folder) do|where should|what is it about)\b.*\?$/i.test(last)
}

/** The calls that can be made now: not made yet, and not touching a file that an earlier one is still to touch. */
export function nextCalls(deeds: Deed[], made: PastCall[]): { name: string; args: unknown }[] {
  const done = new Set(made.map((call) => keyOf(call.name, call.args)))
  const touched = new Set<string>()
  const calls: { name: string; args: unknown }[] = []
  for (const { tool, filled } of deeds) {
    if (!tool || filled.missing.length > 0 || done.has(keyOf(tool.name, filled.args))) continue
    const files = filesIn(
      Object.values(filled.args)
        .filter((value) => typeof value === 'string' && value.length < 200)
        .join(' '),
    )
    if (!files.some((file) => touched.has(file))) calls.push({ name: tool.name, args: filled.args })
    for (const file of files) touched.add(file)
  }
  return calls
}

function keyOf(name: string, args: unknown): string {
  return `${name} ${JSON.stringify(sorted(args))}`
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([key, each]) => [key, sorted(each)]),
  )
}
