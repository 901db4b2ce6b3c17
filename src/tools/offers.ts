/** What a server offers beside tools: resources to read, and prompts to ask with. */
import type { Client } from '@modelcontextprotocol/client'
import { Fault } from '../core/fault.ts'

const TIMEOUT = { timeout: 30_000 }
/** What a prompt and its arguments may be called: what can be written in a command, on one line. */
const NAME = /^[A-Za-z0-9_.-]{1,128}$/
/** Longest text of a prompt, in characters. */
const LONGEST_PROMPT = 20_000

/** A resource as its server lists it; `modified` is an ISO time. */
export type ListedResource = {
  uri: string
  name: string
  mimeType?: string | undefined
  modified?: string | undefined
}

export async function listResources(client: Client): Promise<ListedResource[]> {
  if (!client.getServerCapabilities()?.resources) return []
  const { resources } = await client.listResources(undefined, { ...TIMEOUT, cacheMode: 'refresh' })
  return resources.map(({ uri, name, title, mimeType, annotations }) => ({
    uri,
    name: title ?? name,
    mimeType,
    modified: annotations?.lastModified,
  }))
}

/** The text of a resource, its parts one after another; undefined where it is no text. */
export async function readResource(client: Client, uri: string): Promise<string | undefined> {
  const { contents } = await client.readResource({ uri }, { ...TIMEOUT, cacheMode: 'refresh' })
  const texts = contents.flatMap((part) => ('text' in part ? [part.text] : []))
  return texts.length === contents.length ? texts.join('\n\n') : undefined
}

/** A prompt as its server lists it. */
export type ListedPrompt = {
  name: string
  about: string
  arguments: { name: string; required: boolean }[]
}

/** The prompts that can be asked for by name; one whose name, or an argument's, cannot be written is left out. */
export async function listPrompts(client: Client): Promise<ListedPrompt[]> {
  if (!client.getServerCapabilities()?.prompts) return []
  const { prompts } = await client.listPrompts(undefined, { ...TIMEOUT, cacheMode: 'refresh' })
  return prompts
    .map(({ name, title, description, arguments: args = [] }) => ({
      name,
      about: description ?? title ?? '',
      arguments: args.map((one) => ({ name: one.name, required: one.required === true })),
    }))
    .filter(({ name, arguments: args }) => [name, ...args.map((one) => one.name)].every((n) => NAME.test(n)))
}

/**
 * The text a prompt makes of its arguments.
 * @throws Fault tool-refused where it holds anything but text of a person, or too much of it
 */
export async function readPrompt(
  client: Client,
  name: string,
  args: Record<string, string>,
): Promise<string> {
  const { messages } = await client.getPrompt({ name, arguments: args }, TIMEOUT)
  const texts = messages.map(({ role, content }) =>
    role === 'user' && content.type === 'text' ? content.text : undefined,
  )
  if (texts.length === 0 || texts.includes(undefined))
    throw new Fault(
      'tool-refused',
      `The prompt ${name} is not plain text, which is all that can be asked here.`,
    )
  const text = texts.join('\n\n').replaceAll('\0', '\ufffd').toWellFormed()
  if (text.length > LONGEST_PROMPT)
    throw new Fault('tool-refused', `The prompt ${name} is longer than ${LONGEST_PROMPT} characters.`)
  return text
}
