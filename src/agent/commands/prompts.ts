/** Prompts of tool servers as commands: what there is, and a question made by one. */
import type pg from 'pg'
import { readPrompted } from '../../core/command.ts'
import type { Made } from '../../core/heard.ts'
import { keepMade } from '../../store/inbox.ts'
import type { Tools } from '../../tools/open.ts'

const MOST = 30

/** No policy lets prompts be used there, so they are withheld as tools are. */
export const NO_PROMPTS =
  'People of another organisation can read here, so prompts of tool servers are not used here.'

/** Every prompt and its arguments, a line each; those that need not be given in brackets. */
export async function tellPrompts(tools: Pick<Tools, 'prompts'>): Promise<string> {
  const prompts = await tools.prompts()
  if (prompts.length === 0) return 'No tool server that was accepted has prompts.'
  const lines = prompts.slice(0, MOST).map(({ server, name, about, arguments: args }) => {
    const given = args.map((one) => (one.required ? `${one.name}=…` : `[${one.name}=…]`)).join(' ')
    return `• ${server}__${name} ${given}${about ? `: ${about.replace(/\s+/g, ' ').slice(0, 120)}` : ''}`
  })
  if (prompts.length > MOST) lines.push(`… and ${prompts.length - MOST} more.`)
  return lines.join('\n')
}

/**
 * The text that a prompt makes, or one sentence why it makes none. It is fetched once for what was heard under `key`:
 * another time the server could say something else than what was shown.
 */
export async function askPrompt(
  { pool, tools }: { pool: pg.Pool; tools: Pick<Tools, 'prompt'> },
  key: string,
  { rest, made }: { rest: string; made?: Made | undefined },
): Promise<Made | string> {
  if (made) return made
  const prompted = readPrompted(rest)
  if (typeof prompted === 'string') return prompted
  const { server, name, args } = prompted
  const prompt = `${server}__${name}`
  try {
    return await keepMade(pool, key, { prompt, text: await tools.prompt(server, name, args) })
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/\s+/g, ' ').slice(0, 300) : ''
    return `The prompt ${prompt} could not be had: ${why}`
  }
}
