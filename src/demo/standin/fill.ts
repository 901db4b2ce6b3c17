/** Fills the required arguments of a tool from a person's words, along its JSON schema. */
import { type Clause, filesIn } from './request.ts'

export type Schema = {
  type?: string | string[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  enum?: unknown[]
  default?: unknown
  description?: string
}

/** `missing` holds the names of what could not be found in the words. */
export type Filled = { args: Record<string, unknown>; missing: string[] }

const LONGEST_NAME = 60
const NAMES = {
  file: /^(file_?)?paths?$|^file_?name$|^(file|uri)s?$/i,
  folder: /^(dir|directory|folder)/i,
  from: /^(source|from|old_?path|src)$/i,
  to: /^(destination|dest|to|new_?path|target)$/i,
  words: /^(content|contents|text|body|message|observation|observations|note|value|data|markdown|comment)$/i,
  query: /^(query|q|pattern|search|term|keywords?)$/i,
  subject: /^(entity_?)?names?$|^(title|subject|topic|entity|label|nodes?)$/i,
  kind: /^(entity_?)?(type|kind|category)$/i,
}

/** Fills what `schema` requires. */
export function fill(schema: Schema, clause: Clause): Filled {
  const missing: string[] = []
  const args: Record<string, unknown> = {}
  for (const name of schema.required ?? []) {
    const value = fillOne(name, schema.properties?.[name] ?? {}, clause, missing)
    if (value !== undefined) args[name] = value
  }
  return { args, missing }
}

function fillOne(name: string, schema: Schema, clause: Clause, missing: string[]): unknown {
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type
  if (type === 'array') {
    const item = schema.items ?? {}
    const one = fillOne(name, item.type ? item : { type: 'string' }, clause, missing)
    return one === undefined ? undefined : [one]
  }
  if (type === 'object') {
    const inner = fill(schema, clause)
    missing.push(...inner.missing)
    return inner.missing.length > 0 ? undefined : inner.args
  }
  const value = fillScalar(name, type ?? 'string', schema, clause)
  if (value === undefined) missing.push(name)
  return value
}

function fillScalar(name: string, type: string, schema: Schema, clause: Clause): unknown {
  if (schema.enum) {
    const words = clause.text.toLowerCase()
    return schema.enum.find((each) => words.includes(String(each).toLowerCase())) ?? schema.default
  }
  if (type === 'boolean') return schema.default ?? false
  if (type === 'number' || type === 'integer') {
    const number = named(name, clause.text) ?? /(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])/.exec(clause.text)?.[0]
    return number === undefined ? schema.default : Number(number)
  }
  return named(name, clause.text) ?? fillText(name, clause)
}

function fillText(name: string, clause: Clause): string | undefined {
  const isFile = NAMES.file.test(name)
  if (NAMES.from.test(name)) return clause.files[0]
  if (NAMES.to.test(name)) return destination(clause)
  if (NAMES.folder.test(name)) return folder(clause) ?? '.'
  if (isFile && /^(list|show|ls|search|find)$/.test(clause.verb))
    return clause.files[0] ?? folder(clause) ?? '.'
  if (isFile && /\b(folder|directory|dir)\b/i.test(clause.text)) return folder(clause) ?? called(clause)
  if (isFile) return clause.files[0] ?? called(clause)
  if (NAMES.words.test(name)) return wordsToKeep(clause)
  if (NAMES.query.test(name)) return wordsToFind(clause)
  if (NAMES.subject.test(name)) return owner(name, clause) ?? subject(clause)
  if (NAMES.kind.test(name)) return 'note'
  return undefined
}

/** The second file, or a folder to move the first into. */
function destination(clause: Clause): string | undefined {
  const [first, second] = clause.files
  const into = folder(clause)
  if (into && first && !second) return `${into}/${first.split('/').at(-1)}`
  return second ?? called(clause)
}

/** `name: value` or `name=value`, as precise people write. */
function named(name: string, text: string): string | undefined {
  const match = new RegExp(
    `(?:^|[\\s,(])${name.replace(/[^\w]/g, '.')}\\s*[:=]\\s*(?:"([^"]*)"|(\\S+))`,
    'i',
  ).exec(text)
  return match?.[1] ?? match?.[2]?.replace(/[,.;)]+$/, '')
}

function called(clause: Clause): string | undefined {
  const match = /\b(?:called|named|name it|call it)\s+(?:"([^"]+)"|([\w./-]+))/i.exec(clause.text)
  return match?.[1] ?? match?.[2]
}

function folder(clause: Clause): string | undefined {
  const word = '(?:"([^"]+)"|([\\w./-]+))'
  const skip = '(?!(?:called|named|and|with|please|here|there|at|of|in|is|are|to|for)\\b)'
  const match =
    new RegExp(`\\b(?:folder|directory|dir)\\s+(?:called\\s+|named\\s+)?${skip}${word}`, 'i').exec(
      clause.text,
    ) ??
    new RegExp(
      `\\b(?:in|inside|under|the)\\s+(?!(?:the|a|my|our|this)\\b)${word}\\s+(?:folder|directory)\\b`,
      'i',
    ).exec(clause.text)
  const found = match?.[1] ?? match?.[2]
  return found && !/^(a|an|the|new|all|current|this)$/i.test(found) ? found : undefined
}

/** What should be written down: after `saying` and its like, in quotation marks, before `in FILE`, after a colon. */
function wordsToKeep(clause: Clause): string | undefined {
  const { text } = clause
  const said =
    /\b(?:saying|that says|says|say|containing|that contains|contains|with the (?:text|content|words)|with content|reading|that reads)\s*(?:that\s+)?:?\s*([\s\S]+)$/i.exec(
      text,
    )?.[1]
  if (said) return unquote(said)
  const quoted = clause.quotes.find((each) => !(filesIn(each)[0] === each))
  if (quoted) return quoted
  const kept =
    /^(?:remember|memori[sz]e|record|note)\b(?:\s+down)?\s*(?:that\b|:)?\s*([\s\S]+)$/i.exec(text)?.[1] ??
    /\b(?:note|reminder)\s*(?:that\b|:)\s*([\s\S]+)$/i.exec(text)?.[1]
  if (kept && kept.split(/\s+/).length > 1) return unquote(kept)
  const put =
    /^(?:put|save|write|store|add)\s+(?!(?:a|an|the|this|that|it|me|new)\b)([\s\S]+?)\s+(?:in|into|to|as|under)\s+\S+$/i.exec(
      text,
    )?.[1]
  if (put && filesIn(put).length === 0 && !/\bfile\b/i.test(put)) return unquote(put)
  const colon = /:\s+([\s\S]+)$|:\n([\s\S]+)$/.exec(text)
  return colon ? unquote(colon[1] ?? colon[2] ?? '') : undefined
}

function wordsToFind(clause: Clause): string | undefined {
  if (clause.quotes[0]) return clause.quotes[0]
  const after = /\b(?:for|about|on|named|called)\s+(?:the\s+)?([^?]+)$/i.exec(clause.text)?.[1]
  return after
    ? unquote(after.replace(/\s+in\s+(?:the\s+)?(?:memory|files?|folder|directory|notes).*$/i, ''))
    : clause.files[0]
}

/** Whose thing it is: `add … to Ben`, `forget Ben`. */
function owner(name: string, clause: Clause): string | undefined {
  const gone =
    /^(?:forget|delete|remove|erase|drop)\s+(?:(?:about|the|my|our|note|notes|entity|everything|what you know)\s+)*(.+)$/i
  const found =
    gone.exec(clause.text)?.[1] ??
    (/^entity/i.test(name) ? /\bto\s+(.+)$/i.exec(clause.text)?.[1] : undefined)
  return found === undefined ? undefined : unquote(found)
}

/** What a thing to be kept is called: the name it is given, else the beginning of its words. */
function subject(clause: Clause): string | undefined {
  const kept = called(clause) ?? wordsToKeep(clause) ?? wordsToFind(clause)
  if (!kept || kept.length <= LONGEST_NAME) return kept?.replace(/[.,;:!?]+$/, '')
  return `${kept.slice(0, LONGEST_NAME).replace(/\s+\S*$/, '')} …`
}

function unquote(text: string): string {
  const trimmed = text
    .replace(/^[\s,:;]+/, '')
    .trim()
    .replace(/^(["“'`])([\s\S]*)(["”'`])[.!]?$/, '$2')
  return trimmed.trim()
}
