/** The files of a home, as schemas. Reading them from disk, with file and line, is the home room's work. */
import { z } from 'zod'

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,40}$/, 'a short name: lower-case letters, digits, - and _')

/** Front matter of agents/<name>.md; the text below it is the instructions. */
export const AgentFront = z.strictObject({
  name,
  description: z.string().optional(),
  /** A pool of models.yaml; the only one where it is left out. */
  model: z.string().optional(),
  /** Catalogue patterns (`server__tool`, `*` allowed) the agent may see; all where it is left out. */
  tools: z.array(z.string()).optional(),
  /** Names of sources the agent recalls from; all where it is left out. */
  knowledge: z.array(z.string()).optional(),
  /** How many model answers one run may take. */
  maxTurns: z.int().min(1).max(100).default(12),
})
export type Agent = z.infer<typeof AgentFront> & { instructions: string }

const environment = z.record(z.string(), z.string())

/** One MCP server, as other hosts write it. `${NAME}` in env and header values comes from the environment. */
export const ToolServer = z.union([
  z.strictObject({
    type: z.literal('stdio').optional(),
    command: z.string().min(1),
    args: z.array(z.string()).default([]),
    env: environment.default({}),
    cwd: z.string().optional(),
    timeoutMs: z.int().positive().optional(),
  }),
  z.strictObject({
    type: z.enum(['http', 'streamable-http']).optional(),
    url: z.url(),
    headers: environment.default({}),
    timeoutMs: z.int().positive().optional(),
  }),
])
export type ToolServer = z.infer<typeof ToolServer>

/** mcp.json; VS Code's `servers` is the same under another key. */
export const McpFile = z.union([
  z.strictObject({ mcpServers: z.record(name, ToolServer) }),
  z.strictObject({ servers: z.record(name, ToolServer) }).transform((file) => ({ mcpServers: file.servers })),
])

/** A Slack user id, or the word `requester`: whoever asked. */
const approver = z.union([
  z.literal('requester'),
  z.string().regex(/^[UW][A-Z0-9]+$/, 'a Slack user id, or requester'),
])

/** policy.yaml: for each server and tool pattern, what happens to a call. The most restrictive match wins. */
export const PolicyFile = z.strictObject({
  tools: z
    .record(
      z.string(),
      z.strictObject({
        decision: z.enum(['allow', 'ask', 'deny']),
        approvers: z.array(approver).min(1).optional(),
        /** How long an approval may wait, as `30m`, `8h`, `2d`. */
        expires: z
          .string()
          .regex(/^\d+[smhd]$/, 'a time such as 30m, 8h or 2d')
          .optional(),
      }),
    )
    .default({}),
})
export type Policy = z.infer<typeof PolicyFile>

const duration = z.string().regex(/^\d+(ms|s|m|h)$/, 'a time such as 500ms, 30s or 10m')

/** A pool: servers of the same model. One replica for now. `key` is the NAME of an environment variable. */
export const Pool = z.strictObject({
  model: z.string(),
  replicas: z.array(z.url()).length(1, 'exactly one replica; several are not supported yet'),
  key: z.string().optional(),
  /** Extra headers, e.g. `api-key` for Azure; `${NAME}` comes from the environment. */
  headers: environment.optional(),
  timers: z
    .strictObject({ firstToken: duration.optional(), idle: duration.optional(), total: duration.optional() })
    .optional(),
  /** Tokens the model can read and write in one call. */
  contextTokens: z.int().positive().optional(),
  maxOutputTokens: z.int().positive().optional(),
})
export type Pool = z.infer<typeof Pool>

export const EmbeddingsFile = z.strictObject({
  url: z.url(),
  model: z.string(),
  key: z.string().optional(),
  dimensions: z.int().positive().max(4000).optional(),
})
export type Embeddings = z.infer<typeof EmbeddingsFile>

export const ModelsFile = z.strictObject({
  pools: z.record(name, Pool).refine((pools) => Object.keys(pools).length === 1, 'exactly one pool for now'),
  embeddings: EmbeddingsFile.optional(),
})
export type Models = z.infer<typeof ModelsFile>

/** One source of knowledge. `audience` says who may read it: everyone in the workspace, or the members of channels. */
export const Source = z.strictObject({
  directory: z.string(),
  audience: z
    .union([z.literal('everyone'), z.array(z.string().regex(/^[CG][A-Z0-9]+$/, 'a Slack channel id')).min(1)])
    .default('everyone'),
  /** Where a page can be opened: `{path}` is replaced by the file's path below the directory. */
  link: z.string().optional(),
})
export type Source = z.infer<typeof Source>

export const SourcesFile = z.strictObject({ sources: z.record(name, Source).default({}) })
export type Sources = z.infer<typeof SourcesFile>

/** A home, read and checked: one directory that is a deployment. */
export type Home = {
  dir: string
  agents: Agent[]
  servers: Record<string, ToolServer>
  policy: Policy
  models: Models | undefined
  sources: Sources['sources']
}
