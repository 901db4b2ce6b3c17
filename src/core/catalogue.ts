/** Tools as the runtime knows them. */

/** One accepted tool of one server; `name` is `server__tool`, what models and policy see. */
export type CatalogueTool = {
  name: string
  server: string
  tool: string
  title: string
  description: string
  inputSchema: Record<string, unknown>
  /** Hash of the definition (name, title, description, schemas, annotations), hex. */
  definitionHash: string
  /** Hash of the server's configuration as mcp.json writes it, hex. */
  serverHash: string
}

/** What became of a call. `unknown`: the bytes left and no answer came back; it may have run. */
export type ToolOutcome = { outcome: 'succeeded' | 'failed' | 'unknown'; text: string; ms: number }
