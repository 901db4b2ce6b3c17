/** Takes a person's words apart: which clauses ask for something to be done, and what they name. */

/** Words for the same deed; a tool whose name holds one of a family answers to all of it. */
const FAMILIES = [
  ['write', 'create', 'save', 'make', 'put', 'store', 'draft', 'add', 'record'],
  ['remember', 'note', 'memorise', 'memorize', 'create', 'add', 'store', 'record'],
  ['read', 'open', 'show', 'print', 'display', 'get', 'fetch', 'view'],
  ['list', 'show', 'ls'],
  ['move', 'rename'],
  ['delete', 'remove', 'forget', 'drop', 'erase'],
  ['search', 'find', 'query', 'lookup', 'recall'],
  ['edit', 'change', 'replace', 'update', 'modify'],
  ['send', 'post', 'mail', 'email', 'notify'],
  ['run', 'execute', 'call', 'trigger', 'start', 'use'],
]
/** Deeds nobody could mean as a question, though perhaps no tool does them. */
const OTHER_DEEDS = `book order restart deploy schedule invite cancel buy close merge approve assign translate
  generate upload download echo`.split(/\s+/)
const DEEDS = new Set([...FAMILIES.flat(), ...OTHER_DEEDS])

const OPENING =
  /^(?:(?:hey|hi|hello|ok|okay|so|now|also|then|and|please|pls|kindly|just|go ahead and|(?:can|could|would|will) you|i(?:'d| would) like you to|i want you to|i need you to|let'?s|<@\w+>|@\w+)[\s,:]+)+/i
const QUESTION =
  /^(how|what|who|whom|whose|when|where|why|which|is|are|do|does|did|should|was|were|has|have|am)\b/i

/** An answer to our question, though it begins with a verb. */
const NAMING = /^(call|name) (it|the file|the folder)\b/i

/** One thing a person wants done. */
export type Clause = {
  /** Its words with quotations in place. */
  text: string
  /** The verb it begins with, lower case. */
  verb: string
  quotes: string[]
  files: string[]
}

/** Splits a text into the deeds it asks for; empty for a question or plain talk. */
export function readClauses(text: string): Clause[] {
  const quotes: string[] = []
  const mask = (quoted: string) => {
    quotes.push(quoted)
    return `\uE000${quotes.length - 1}\uE000`
  }
  // What stands below a colon is one thing, whatever marks it holds.
  const [, above = rephrase(text), below] = /^([^\n]+:)[ \t]*\n([\s\S]+)$/.exec(text) ?? []
  const quoted = above.replace(
    /```(?:\w*\n)?([\s\S]*?)```|"([^"]*)"|“([^”]*)”|«([^»]*)»|`([^`]+)`|(?<![\w])'([^'\n]+)'(?!\w)/g,
    (...groups) => mask(groups.slice(1, 7).find((each) => typeof each === 'string') ?? ''),
  )
  const masked = below === undefined ? quoted : `${quoted} ${mask(below.trim())}`
  const pieces = masked.split(/\s*(?:;|[.!?](?=\s|$)|,?\s+and then\b|,?\s+then\b|\n+)\s*/).flatMap(splitAtAnd)
  return pieces.flatMap((piece) => {
    const words = piece.replace(OPENING, '').trim()
    const verb = /^[a-z]+/i.exec(words)?.[0].toLowerCase() ?? ''
    if (QUESTION.test(words) || NAMING.test(words) || !DEEDS.has(verb)) return []
    const restore = (part: string) => part.replace(/\uE000(\d+)\uE000/g, (_, at) => `"${quotes[Number(at)]}"`)
    const own = [...words.matchAll(/\uE000(\d+)\uE000/g)].map((match) => quotes[Number(match[1])] ?? '')
    return [{ text: restore(words), verb, quotes: own, files: filesIn(restore(words)) }]
  })
}

/** `and` begins a new deed where a verb follows it. */
function splitAtAnd(piece: string): string[] {
  return piece
    .split(/,?\s+and\s+(?:also\s+)?(?:please\s+)?(?=([a-z]+)\b)/i)
    .reduce<string[]>((parts, part, at, all) => {
      // Odd places hold the word that follows the `and`.
      if (at % 2 === 1) return parts
      const verb = all[at - 1]?.toLowerCase()
      const last = parts.at(-1)
      if (last === undefined || (verb && DEEDS.has(verb))) parts.push(part)
      else parts[parts.length - 1] = `${last} and ${part}`
      return parts
    }, [])
}

/** Questions that can only be answered by doing something. */
function rephrase(text: string): string {
  return text
    .replace(/^\s*(what|which) (files|folders)\b[^?]*\?*/i, 'list the directory')
    .replace(/\btake (a|this) note\b/i, 'make $1 note')
    .replace(/^\s*what(?:'s| is| does) (?:in|inside)?\s*(\S+\.\w{2,8})\b[^?]*\?*/i, 'read $1')
    .replace(
      /^\s*(?:what|do) (?:do )?you (?:remember|recall)(?: about)?\s*([^?]*)\?*/i,
      (_, about: string) => (about.trim() ? `search memory for ${about.trim()}` : 'read the memory graph'),
    )
}

/** Names of files: `notes.md`, `a/b.txt`; no versions, addresses or abbreviations. */
export function filesIn(text: string): string[] {
  const words =
    text.match(/(?<![@\w./:-])(?:[\w-]+\/|\.\/|\/)*[\w][\w.-]*\.[a-z][a-z0-9]{1,7}\b(?!\/\/|@)/gi) ?? []
  return words.filter((word) => !/^(e\.g|i\.e|www\.)/i.test(word) && !/^\d+(\.\d+)*$/.test(word))
}

/** Whether people say `verb` for what a tool calls `part`: 1 for the same word, less for a relative, 0 for neither. */
export function sameDeed(verb: string, part: string): number {
  if (verb === part) return 1
  const places = FAMILIES.filter((family) => family.includes(verb)).map((family) => family.indexOf(part))
  const place = Math.min(...places.filter((at) => at >= 0))
  return Number.isFinite(place) ? 0.6 - place * 0.04 : 0
}

/** Puts what is said later beside what was said first, as one clause. */
export function joinClauses(first: Clause, later: Pick<Clause, 'text' | 'quotes' | 'files'>): Clause {
  return {
    verb: first.verb,
    text: `${first.text}, ${later.text}`,
    quotes: [...first.quotes, ...later.quotes],
    files: [...first.files, ...later.files],
  }
}
