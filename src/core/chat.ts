/** The words between the agent and a model: plain data, independent of any client library. */
import type { ServedBy, ToolCall, Usage } from './run.ts'

/** One message of a prompt. */
export type ChatMessage =
  | { role: 'system' | 'user'; content: string }
  | { role: 'assistant'; content: string; calls?: ToolCall[] }
  | { role: 'tool'; call: string; content: string }

/** A tool as the model sees it; `parameters` is a JSON Schema object. */
export type ChatTool = { name: string; description: string; parameters: Record<string, unknown> }

export type ChatRequest = { messages: ChatMessage[]; tools: ChatTool[]; maxTokens?: number }

/**
 * A complete answer: it ended with a finish reason. Arguments of calls are parsed JSON;
 * where they are not JSON at all, `args` holds the raw string, for the runtime to refuse with a reason.
 */
export type ChatAnswer = {
  text: string
  calls: ToolCall[]
  finish: 'stop' | 'tool_calls' | 'length'
  /** The model that answered, as the server named it. */
  model: string
  usage?: Usage
  firstTokenMs: number
  ms: number
  served?: Served
}

/** What served an answer, and how many attempts it took. */
export type Served = ServedBy & { attempts: number }
