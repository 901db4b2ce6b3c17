/** Tools as the runtime knows them. */
import type { Effect } from './rules.ts'

/** What a server claims of a tool. Claims can tighten, never loosen. */
export type Hints = {
  readOnlyHint?: boolean
  destructiveHint?: boolean
  idempotentHint?: boolean
  openWorldHint?: boolean
}

/** One accepted tool of one server; `name` is `server__tool`, what models and policy see. */
export type CatalogueTool = {
  name: string
  server: string
  tool: string
  title: string
  description: string
  inputSchema: Record<string, unknown>
  hints: Hints
  /** What it does, as it was accepted. */
  effect: Effect
  /** Arguments that decide who is reached, what is said, or what is changed, as they were accepted. */
  sensitive: string[]
  /** Hash of the definition (name, title, description, schemas, annotations), hex. */
  definitionHash: string
  /** Hash of the server's configuration as mcp.json writes it, hex. */
  serverHash: string
}

/**
 * What became of a call. `unknown`: the bytes left and no answer came back; it may have run.
 * `input`: nothing was done yet, the server needs an answer of a person first.
 */
export type ToolOutcome = {
  outcome: 'succeeded' | 'failed' | 'unknown' | 'input'
  text: string
  ms: number
  input?: InputWanted
  /** What its server asked while the call was open and nobody could be asked, as a quote on one line. */
  asked?: string
  /** The server that whoever asked must connect an account to first; nothing was sent. */
  connect?: string
  /** Permissions that server asks for beyond those its account was connected with. */
  scopes?: string[]
}

/** What a server wants to know before it goes on with a call; `state` is handed back to it as it came. */
export type InputWanted = { requests: Record<string, InputRequest>; state?: string | undefined }

/** A form to fill (`schema` is a flat JSON Schema object), or an address to open. */
export type InputRequest =
  | { mode: 'form'; message: string; schema: Record<string, unknown> }
  | { mode: 'url'; message: string; url: string; id: string }
