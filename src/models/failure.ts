/** What went wrong at a model server, as one of our faults with a sentence fit for people. */
import OpenAI from 'openai'
import { Fault, type FaultCode } from '../core/fault.ts'

/** Facts about a failed call, on `Fault.cause`: never headers, never a request. */
type FailureCause = { status?: number; code?: string; retryAfterMs?: number }

const LONGEST_SENTENCE = 300
/** Words of vLLM, OpenAI, llama.cpp and others for a prompt beyond the context window. */
const OVERFLOW_PARAMS = ['input_tokens', 'input_text']
const OVERFLOW_CODES = ['context_length_exceeded', 'exceed_context_size_error']
const OVERFLOW_WORDS = /(maximum|exceeds?|available|longer than)[^.]{0,60}context (length|size|window)/i

/** How long the server asked to be left alone, where it said so. Milliseconds. */
export function retryAfterMs(error: unknown): number | undefined {
  return error instanceof Fault ? (error.cause as FailureCause | undefined)?.retryAfterMs : undefined
}

/** The status the server answered with, where it answered with one. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Fault ? (error.cause as FailureCause | undefined)?.status : undefined
}

/** Whether the server refused before it read the prompt: nobody is charged for that. */
export function wasNotRead(error: unknown): boolean {
  const status = statusOf(error)
  if (status !== undefined) return status !== 500
  return error instanceof Fault && error.code === 'model-unreachable'
}

/**
 * Turns whatever the client threw into a Fault. Errors that are nobody's but ours come back as they are.
 * `secrets` are removed from the server's words.
 */
export function faultOf(error: unknown, secrets: string[]): unknown {
  if (error instanceof Fault) return error
  if (error instanceof OpenAI.APIConnectionError) return unreachable(error)
  if (error instanceof OpenAI.APIError)
    return error.status === undefined ? brokenOff(error, secrets) : refused(error, secrets)
  if (error instanceof SyntaxError)
    return new Fault('model-nonsense', 'the model server sent a stream that is not JSON', { retry: true })
  if (error instanceof OpenAI.OpenAIError)
    return new Fault('model-nonsense', 'the model server sent an answer without a body', { retry: true })
  if (codeOf(error) !== undefined || (error instanceof TypeError && /terminated/.test(error.message)))
    return cut('the connection to the model server broke in the middle of an answer', codeOf(error))
  return error
}

/** A `model-cut` worth another try. */
export function cut(sentence: string, code?: string): Fault {
  return new Fault('model-cut', sentence, { retry: true, cause: { code } })
}

function unreachable(error: Error): Fault {
  const code = codeOf(error)
  const why = code ?? innermost(error).message
  const sentence = `the model server cannot be reached (${why})`
  return new Fault('model-unreachable', sentence, { retry: true, cause: { code } })
}

/** The status came before the answer: an ordinary refusal. */
function refused(error: InstanceType<typeof OpenAI.APIError>, secrets: string[]): Fault {
  const status = Number(error.status)
  const said = sentenceOf(error, secrets)
  const cause: FailureCause = { status, ...waitOf(error.headers) }
  const fault = (code: FaultCode, words: string, retry: boolean) =>
    new Fault(code, `${words} (${status})${said ? `: ${said}` : ''}`, { retry, cause })
  if (isOverflow(error)) return fault('model-too-long', 'the conversation does not fit the model', false)
  if (error.code === 'insufficient_quota')
    return fault('model-refused', 'the account of the model is out of credit', false)
  if (status === 429 || status === 503 || status === 529)
    return fault('model-overloaded', 'the model server is overloaded', true)
  if (status === 502 || status === 504)
    return fault('model-unreachable', 'nothing answers behind the gateway of the model', true)
  if (status >= 500) return fault('model-refused', 'the model server failed', true)
  if (status === 408 || status === 409) return fault('model-refused', 'the model server gave up', true)
  if (status === 401 || status === 403)
    return fault('model-refused', 'the model server does not accept our key', false)
  if (status < 400)
    return fault('model-refused', 'the model server sends us elsewhere; is the address right?', false)
  return fault('model-refused', 'the model server refused the request', false)
}

/** An error in the middle of a stream that had begun with 200. */
function brokenOff(error: InstanceType<typeof OpenAI.APIError>, secrets: string[]): Fault {
  const said = sentenceOf(error, secrets)
  const tail = said ? `: ${said}` : ''
  const code = String(error.code ?? '')
  const cause: FailureCause = { code }
  if (isOverflow(error))
    return new Fault('model-too-long', `the conversation does not fit the model${tail}`, { cause })
  if (/^(429|503|529)$|rate_limit|overloaded/.test(`${code} ${error.type ?? ''}`.trim()))
    return new Fault('model-overloaded', `the model server is overloaded${tail}`, { retry: true, cause })
  return new Fault('model-cut', `the model server broke off its answer${tail}`, { retry: true, cause })
}

function isOverflow(error: InstanceType<typeof OpenAI.APIError>): boolean {
  const { status, code, param, type } = error
  if (status === 413) return true
  if (status !== undefined && status !== 400 && status !== 422) return false
  if (OVERFLOW_PARAMS.includes(String(param))) return true
  if (OVERFLOW_CODES.includes(String(code)) || OVERFLOW_CODES.includes(String(type))) return true
  return OVERFLOW_WORDS.test(rawWords(error))
}

/** The server's own words on one line: short, without control characters, without our secrets. */
function sentenceOf(error: InstanceType<typeof OpenAI.APIError>, secrets: string[]): string {
  return clean(rawWords(error), secrets)
}

/** Makes words of a server fit to be shown: one line, no control characters, no secrets, no markup. */
export function clean(words: string, secrets: string[]): string {
  let text = words
  for (const secret of secrets) text = text.replaceAll(secret, '…')
  if (/<(!doctype|html|head|body)/i.test(text)) text = /<title>([^<]*)/i.exec(text)?.[1] ?? ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  text = text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\s]+/g, ' ').trim()
  return text.length > LONGEST_SENTENCE ? `${text.slice(0, LONGEST_SENTENCE)}…` : text
}

/** Servers put the sentence in `error.message`, `error`, `message` or `detail`. */
function rawWords(error: InstanceType<typeof OpenAI.APIError>): string {
  const body = error.error as unknown
  if (typeof body === 'string') return body
  const fields = (body ?? {}) as Record<string, unknown>
  const words = fields.message ?? fields.detail ?? fields.error
  if (typeof words === 'string') return words
  if (body) return JSON.stringify(words ?? body)
  return error.message.replace(/^\d+ (status code \(no body\))?/, '')
}

function waitOf(headers: Headers | undefined): { retryAfterMs?: number } {
  const exact = Number(headers?.get('retry-after-ms') ?? Number.NaN)
  if (exact >= 0) return { retryAfterMs: exact }
  const after = headers?.get('retry-after')
  if (!after) return {}
  const ms = /^\d+(\.\d+)?$/.test(after) ? Number(after) * 1_000 : Date.parse(after) - Date.now()
  return Number.isFinite(ms) ? { retryAfterMs: Math.max(0, ms) } : {}
}

function innermost(error: Error): Error {
  let at = error
  for (let depth = 0; depth < 6 && at.cause instanceof Error; depth += 1) at = at.cause
  return at
}

/** The system's or undici's word for a failure, however deep it lies. */
function codeOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 6; at = at.cause, depth += 1) {
    const { code } = at as { code?: unknown }
    if (typeof code === 'string') return code
    if (at instanceof AggregateError && at.errors[0]) return codeOf(at.errors[0])
  }
  return undefined
}
