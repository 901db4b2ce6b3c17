/** What a server wants to know before it goes on with a call, read from its answer; and what is sent back. */
import { isInputRequiredResult } from '@modelcontextprotocol/client'
import { z } from 'zod'
import type { InputRequest, InputWanted } from '../core/catalogue.ts'
import { maskAll } from './mask.ts'

/** Questions in one answer. */
const MOST = 10
/** All of them together, and the server's own state, in characters: they are kept with the run. */
const LONGEST = 32_000
const LONGEST_STATE = 256_000

const Elicit = z.object({
  method: z.literal('elicitation/create'),
  params: z.union([
    z.object({
      mode: z.literal('url'),
      message: z.string(),
      url: z.string(),
      elicitationId: z.string().optional(),
    }),
    z.object({
      mode: z.literal('form').optional(),
      message: z.string(),
      requestedSchema: z.record(z.string(), z.unknown()),
    }),
  ]),
})

/** What is wanted, where a result wants something; a sentence where it is nothing that people are asked. */
export function wantedBy(result: unknown): InputWanted | string | undefined {
  if (!isInputRequiredResult(result)) return undefined
  const entries = Object.entries(result.inputRequests ?? {})
  if (entries.length === 0) return 'it asked for another try, without a question'
  if (entries.length > MOST) return 'it asked too many questions at once'
  if (JSON.stringify(entries).length > LONGEST) return 'its question is too long'
  if ((result.requestState?.length ?? 0) > LONGEST_STATE) return 'it wants too much to be kept for it'
  const requests: [string, InputRequest][] = []
  for (const [key, raw] of entries) {
    const read = Elicit.safeParse(raw)
    if (!read.success) return 'it asked for something that nobody is asked here'
    const { params } = read.data
    if ('url' in params) {
      const { message, url, elicitationId: id = key } = params
      if (!/^https?:\/\//i.test(url)) return 'it asked to open something that is not a web address'
      requests.push([key, { mode: 'url', message, url, id }])
    } else requests.push([key, { mode: 'form', message: params.message, schema: params.requestedSchema }])
  }
  return { requests: Object.fromEntries(requests), state: result.requestState }
}

/** The same without what must not be shown. The state goes back as it came, and is shown to nobody. */
export function maskedInput({ requests, state }: InputWanted, mask: (text: string) => string): InputWanted {
  return { requests: maskAll(requests, mask), state }
}

/** An answer that a call goes on with: what was said to each question, and the server's own state. */
export type Resume = { responses: Record<string, unknown>; state?: string | undefined }

/** The fields of a call's parameters that carry it (MCP 2026-07-28, multi-round-trip requests). */
export function resumeParams(resume: Resume | undefined) {
  if (!resume) return {}
  const { responses, state } = resume
  return { inputResponses: responses, ...(state === undefined ? {} : { requestState: state }) }
}
