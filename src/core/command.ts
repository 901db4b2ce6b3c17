/** Words for the agent itself, after `/quorum` or alone in a message, and what needs nothing else to answer. */

/** Words a command may begin with that something must be done for. */
const WORDS = ['ask', 'status', 'stop']

export const HELP = [
  'Mention me in a channel, or write me a direct message. In a thread I am part of, just write on.',
  '`/quorum ask …` asks me here, for everyone to see.',
  '`/quorum status` shows what I am doing for you.',
  '`/quorum stop` stops what I am doing for you in this channel. In a thread, where commands do not work: `@quorum stop`.',
].join('\n')

/** The word in a message that holds nothing else; undefined where it is a question. */
export function readWord(text: string): 'status' | 'stop' | 'help' | undefined {
  const word = text.trim().toLowerCase().replace(/[.!]$/, '')
  return word === 'stop' || word === 'status' || word === 'help' ? word : undefined
}

/** What a command is answered with at once, where it needs nothing else; undefined where something must be done. */
export function answerAtOnce(command: { word: string; rest: string }): string | undefined {
  if (command.word === 'help' || command.word === '') return HELP
  if (!WORDS.includes(command.word)) return `I do not know that word.\n${HELP}`
  if (command.word === 'ask' && command.rest.trim() === '') {
    return 'Ask what? Write `/quorum ask` and then your question.'
  }
  return undefined
}
