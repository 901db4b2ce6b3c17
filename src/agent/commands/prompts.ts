/** Prompts of tool servers as commands: what there is, and a question made by one. */
import { type Prompted, readPrompted } from '../../core/command.ts'
import type { Tools } from '../../tools/open.ts'

const MOST = 30

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

/** The text that a prompt makes, or one sentence why it makes none. */
export async function askPrompt(
  tools: Pick<Tools, 'prompt'>,
  rest: string,
): Promise<{ prompted: Prompted; text: string } | string> {
  const prompted = readPrompted(rest)
  if (typeof prompted === 'string') return prompted
  const { server, name, args } = prompted
  try {
    return { prompted, text: await tools.prompt(server, name, args) }
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/\s+/g, ' ').slice(0, 300) : ''
    return `The prompt ${server}__${name} could not be had: ${why}`
  }
}
