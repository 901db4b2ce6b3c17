/** Words for the agent itself, after `/quorum` or alone in a message, and what needs nothing else to answer. */

/** Words that only show something, to whoever says them. */
const SHOWS = [
  'status',
  'budget',
  'sources',
  'tools',
  'prompts',
  'agents',
  'trace',
  'approvals',
  'settings',
  'help',
] as const
type Shows = (typeof SHOWS)[number]

/** A word for the agent with what follows it. */
export type Command = { word: string; rest: string }

/** Words a command may begin with that something must be done for. */
const WORDS: readonly string[] = ['ask', 'run', 'prompt', 'stop', ...SHOWS]

export const HELP = [
  'Mention me in a channel, or write me a direct message. In a thread I am part of, just write on.',
  '`/quorum ask …` asks me for your eyes only, from all that you may read. The answer can be shared afterwards.',
  '`/quorum run server__tool {"argument": …}` runs a tool as it is written, by the same rules and approvals. `/quorum tools` lists them.',
  '`/quorum prompt server__name argument=value` asks with a prompt of a tool server. `/quorum prompts` lists them.',
  '`/quorum status` shows what I am doing for you, `/quorum approvals` what waits for you, `/quorum trace RUN` how I got to an answer.',
  '`/quorum sources` shows what I know from where, as far as you may read it; `/quorum agents` who answers.',
  '`/quorum settings` shows what was settled for this channel: who answers, with which tools, sources and approvers.',
  '`/quorum budget` shows what may be spent on what you ask: used, held, left.',
  '`/quorum stop` stops what I am doing for you in this channel. In a thread, where commands do not work, mention me before the word: `@quorum stop`, `status`, `trace` …',
].join('\n')

export function isShown(word: string): word is Shows {
  return (SHOWS as readonly string[]).includes(word)
}

/** What may stand behind a word in a message that holds nothing else. */
const BEHIND: Record<string, RegExp> = {
  trace: /^(?:run\s+)?([0-9a-f-]{8,36})$/i,
  budget: /^(<@[UW][A-Z0-9]+(?:\|[^>]*)?>)$/,
}

/** The word in a message that holds nothing else, but what belongs to it; undefined where it is a question. */
export function readWord(text: string): Command | undefined {
  const [, said = '', behind = ''] = /^([a-z]+)(?: +(\S.{0,60}?))?[.!]?$/i.exec(text.trim()) ?? []
  const word = said.toLowerCase()
  if (word !== 'stop' && !isShown(word)) return undefined
  if (behind === '') return { word, rest: '' }
  const rest = BEHIND[word]?.exec(behind)?.[1]
  return rest === undefined ? undefined : { word, rest }
}

/** What is written after `run`: the tool by its name, and the arguments as a JSON text. */
export type Direct = { tool: string; args: unknown }

const DIRECT = /^run\s+([A-Za-z0-9_.-]{1,64}__[A-Za-z0-9_.-]{1,128})(?:\s+([\s\S]*))?$/i

/** The call in a message that asks for exactly one; undefined where it is anything else, as "run the tests, please". */
export function readDirect(text: string): Direct | string | undefined {
  const [, tool, json = ''] = DIRECT.exec(text.trim()) ?? []
  if (tool === undefined) return undefined
  const args = readArguments(json.trim())
  return args === undefined ? `The arguments of ${tool} are not a JSON object. ${EXAMPLE}` : { tool, args }
}

const EXAMPLE = 'Write them as {"name": "value"}.'

/** JSON as people type it in Slack: in code marks, with the quotes that Slack makes typographic. */
function readArguments(text: string): object | undefined {
  const plain = text
    .replace(/^```(?:json)?([\s\S]*)```$/, '$1')
    .trim()
    .replace(/^`([\s\S]*)`$/, '$1')
  if (plain === '') return {}
  for (const one of [plain, plain.replace(/[“”„]/g, '"')]) {
    try {
      const value: unknown = JSON.parse(one)
      return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
    } catch {
      // Perhaps with the other quotes.
    }
  }
  return undefined
}

/** A prompt of a tool server, as it is asked for. */
export type Prompted = { server: string; name: string; args: Record<string, string> }

/** What follows `prompt` in a message that asks with one; undefined where it is anything else, as "prompt me at noon". */
export function readPromptWords(text: string): string | undefined {
  return /^prompt\s+([a-z0-9][a-z0-9_-]*__[A-Za-z0-9_.-]+(?:\s[\s\S]*)?)$/i.exec(text.trim())?.[1]
}

/** What is written after `prompt`: `server__name key=value other="two words"`; a sentence where it is not. */
export function readPrompted(text: string): Prompted | string {
  const [, server, name, rest = ''] =
    /^([a-z0-9][a-z0-9_-]*?)__([A-Za-z0-9_.-]+)(?:\s+([\s\S]*))?$/.exec(text.trim()) ?? []
  if (!server || !name) return 'Which prompt? Write `/quorum prompt server__name argument=value`.'
  const args = new Map<string, string>()
  const left = rest.replace(
    /(?<![\w.-])([\w.-]+)=(?:"([^"]*)"|“([^”]*)”|(\S+))/g,
    (_, key, plain, curly, bare) => {
      args.set(key, plain ?? curly ?? bare)
      return ''
    },
  )
  if (left.trim() !== '') return `I do not understand “${left.trim().slice(0, 100)}”. Write argument=value.`
  return { server, name, args: Object.fromEntries(args) }
}

/** What a command is answered with at once, where it needs nothing else; undefined where something must be done. */
export function answerAtOnce(command: { word: string; rest: string }): string | undefined {
  if (command.word === 'help' || command.word === '') return HELP
  if (!WORDS.includes(command.word)) return `I do not know that word.\n${HELP}`
  if (command.word === 'ask' && command.rest.trim() === '') {
    return 'Ask what? Write `/quorum ask` and then your question.'
  }
  if (command.word === 'prompt') {
    const prompted = readPrompted(command.rest)
    return typeof prompted === 'string' ? prompted : undefined
  }
  if (command.word === 'run') {
    const direct = readDirect(`run ${command.rest}`)
    if (direct === undefined)
      return `Run what? Write \`/quorum run server__tool\` and its arguments. ${EXAMPLE}`
    if (typeof direct === 'string') return direct
  }
  return undefined
}
