/** The ways to ask that are compared, each with the same question. */
import OpenAI from 'openai'
import type { ChatMessage } from '../../../src/core/chat.ts'
import { Fault } from '../../../src/core/fault.ts'
import type { Meter } from '../../../src/core/meter.ts'
import { openModels } from '../../../src/models/open.ts'

/** What one call came to. `ms` from asking to the first token and to the end. */
export type Call = {
  text: string
  prompt: number
  cached: number
  firstMs: number
  ms: number
  /** Attempts beyond the first, and times it had to wait to be asked again. */
  retries: number
  waits: number
}
export type Side = Disposable & {
  ask(thread: number, messages: ChatMessage[]): Promise<Call>
  /** What was held and settled, and the faults that came back, by code; where this side knows. */
  account?: { held: number; settled: number; faults: Record<string, number> }
}

const MODEL = 'test'

/** The product's own pool. Whoever is told to wait asks again then, as a parked run does. */
export function openOurs(urls: string[]): Side {
  const account = { held: 0, settled: 0, faults: {} as Record<string, number> }
  const meter: Meter = async (_, { most }) => {
    account.held += 1
    return {
      most,
      settle: async () => {
        account.settled += 1
      },
    }
  }
  const pools = { main: { model: MODEL, replicas: urls, timers: { firstToken: '60s' } } }
  const models = openModels({ pools, env: {} })
  const rooms = new Set<() => void>()
  models.onRoom(async () => {
    for (const wake of rooms) wake()
    rooms.clear()
  })
  const asked = async (n: number, messages: ChatMessage[], onText: () => void, since: number) =>
    models.ask(
      { messages, tools: [] },
      {
        signal: new AbortController().signal,
        about: about(n),
        meter,
        since,
        onText,
      },
    )
  return {
    account,
    async ask(n, messages) {
      const began = performance.now()
      const since = Date.now()
      let first: number | undefined
      let waits = 0
      const faults = 0
      for (;;) {
        const onText = () => {
          first ??= performance.now() - began
        }
        try {
          const answer = await asked(n, messages, onText, since)
          if (!('wait' in answer)) {
            const { prompt = 0, cached = 0 } = answer.usage ?? {}
            const ms = performance.now() - began
            const retries = (answer.served?.attempts ?? 1) - 1 + faults
            return { text: answer.text, prompt, cached, firstMs: first ?? ms, ms, retries, waits }
          }
          waits += 1
          const left = Date.parse(answer.wait.until) - Date.now()
          await new Promise<void>((resolve) => {
            rooms.add(resolve)
            setTimeout(resolve, Math.max(10, left))
          })
        } catch (error) {
          if (!(error instanceof Fault)) throw error
          account.faults[error.code] = (account.faults[error.code] ?? 0) + 1
          throw error
        }
      }
    },
    [Symbol.dispose]: () => models.close(),
  }
}

/** The openai client as it is, over these addresses in turn. */
export function openPlain(
  urls: string[],
  headers?: (url: string) => Record<string, string>,
  at?: string,
): Side {
  const clients = urls.map(
    (url) =>
      new OpenAI({
        baseURL: at ?? url,
        apiKey: 'none',
        maxRetries: 0,
        ...(headers ? { defaultHeaders: headers(url) } : {}),
      }),
  )
  let turn = 0
  return {
    async ask(_, messages) {
      const client = clients[turn++ % clients.length]
      if (!client) throw new Error('no address')
      const began = performance.now()
      const stream = await client.chat.completions.create({
        model: MODEL,
        stream: true,
        stream_options: { include_usage: true },
        max_tokens: 4096,
        messages: messages as OpenAI.Chat.Completions.ChatCompletionMessageParam[],
      })
      let first: number | undefined
      let text = ''
      let usage: OpenAI.CompletionUsage | undefined
      let finish: string | null | undefined
      for await (const chunk of stream) {
        const choice = chunk.choices[0]
        if (choice?.delta?.content) first ??= performance.now() - began
        text += choice?.delta?.content ?? ''
        finish ??= choice?.finish_reason
        usage = chunk.usage ?? usage
      }
      if (!finish) throw new Error('the answer was cut off')
      const ms = performance.now() - began
      const prompt = usage?.prompt_tokens ?? 0
      const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0
      return { text, prompt, cached, firstMs: first ?? ms, ms, retries: 0, waits: 0 }
    },
    [Symbol.dispose]: () => {},
  }
}

const about = (n: number) => ({
  workspace: 'T1',
  channel: `C${n % 5}`,
  thread: `17000000${n}.000100`,
  user: 'U1',
  agent: 'quorum',
  lane: 'interactive' as const,
})
