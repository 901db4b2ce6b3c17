/**
 * The files of a home, as schemas. Reading them from disk, with file and line, is the home room's work.
 * Messages of our own are noun phrases in lower case: they are read after the words "must be".
 */
import { z } from 'zod'
import type { Budgets } from './budget.ts'
import { FUSION } from './fuse.ts'
import type { Lock } from './lock.ts'
import { address, duration, isInHouse, name, Patience, Pool, variable } from './pools.ts'
import { type Policy, pattern } from './rules.ts'
import { shaped } from './shaped.ts'

/** Front matter of agents/<name>.md; the text below it is the instructions. */
export const AgentFront = z.strictObject({
  /** The file's own name; may be left out. */
  name,
  description: z.string().optional(),
  /** A pool of models.yaml; the first one where it is left out. */
  model: z.string().optional(),
  /** Whether the pool's smaller model may answer where no other can. */
  smaller: z.boolean().optional(),
  /** Catalogue patterns (`server__tool`, `*` allowed) the agent may see; all where it is left out. */
  tools: z.array(pattern).optional(),
  /** Names of sources the agent recalls from; all where it is left out. */
  knowledge: z.array(z.string()).optional(),
  /** How many model answers one run may take. */
  maxTurns: z.int().min(1).max(100).default(12),
})
export type Agent = z.infer<typeof AgentFront> & { instructions: string }

const environment = z.record(z.string(), z.string())

/** What a server in a sandbox may do all the same; `write` is relative to the home. */
const ToolSandbox = z.strictObject({
  write: z.array(z.string().min(1, 'a directory')).default([]),
  network: z.boolean().default(false),
})
/** What is asked for, and never more; where it is empty, what the server says it needs. */
const scopes = z.array(z.string().min(1)).default([])
/** A secret by the name of its variable, so that it never stands in the file. */
const reference = shaped(
  /^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/,
  'a reference to an environment variable, not the secret itself',
)

/**
 * How a server over HTTP is signed in to; a token that never changes is a header instead. `oauth`: a person
 * presses Connect, each for themselves or one administrator for all. `client_credentials`: Quorum signs in as itself.
 */
export const ToolAuth = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('oauth'),
    per: z.enum(['user', 'workspace']).default('user'),
    scopes,
    /** Where the server knows us already; without it we register ourselves. */
    clientId: z.string().min(1).optional(),
    clientSecret: reference.optional(),
    /** Where the description of this client is published, for servers that read it there. */
    clientMetadataUrl: z
      .url({ protocol: /^https$/, error: 'an address that begins with https://' })
      .optional(),
    /** The only authorization server that is talked to. */
    issuer: address.optional(),
  }),
  z.strictObject({
    type: z.literal('client_credentials'),
    clientId: z.string().min(1),
    clientSecret: reference,
    scopes,
    issuer: address.optional(),
  }),
])
export type ToolAuth = z.infer<typeof ToolAuth>

/**
 * One MCP server, as other hosts write it. `${NAME}` comes from the environment: in `command`, `args`, `cwd`
 * and `url` when the home is read, in the values of `env`, `headers` and `auth`, which may be secret, when the server is used.
 */
export const ToolServer = z.union([
  z.strictObject({
    type: z.literal('stdio').optional(),
    command: z.string().min(1, 'a program to start'),
    args: z.array(z.string()).default([]),
    env: environment.default({}),
    cwd: z.string().optional(),
    sandbox: z
      .union([z.boolean(), ToolSandbox], 'true, false, or { "write": [directories], "network": true }')
      .optional(),
    timeoutMs: z.int().min(1).optional(),
  }),
  z.strictObject({
    type: z.enum(['http', 'streamable-http']).optional(),
    url: address,
    headers: environment.default({}),
    auth: ToolAuth.optional(),
    timeoutMs: z.int().min(1).optional(),
  }),
])
export type ToolServer = z.infer<typeof ToolServer>

/** mcp.json; VS Code's `servers` is the same under another key. */
export const McpFile = z.union([
  z.strictObject({ mcpServers: z.record(name, ToolServer) }),
  z.strictObject({ servers: z.record(name, ToolServer) }).transform((file) => ({ mcpServers: file.servers })),
])

const EmbeddingsFile = z.strictObject({
  url: address,
  model: z.string(),
  key: variable.optional(),
  dimensions: z.int().min(1).max(4000).optional(),
  /** Whether texts leave the house; left out, a price or else the address says. A cloud model needs both a price and a budget in dollars. */
  tier: z.enum(['local', 'cloud']).optional(),
  /** Dollars for a million tokens. */
  price: z.number().min(0).max(1_000).optional(),
  /** Put before each question and each passage, for models that want it. */
  prefix: z.strictObject({ query: z.string().default(''), passage: z.string().default('') }).optional(),
  /** Requests at a time while passages are embedded. */
  concurrency: z.int().min(1).max(64).optional(),
  /** Any text; another one has every passage embedded again. */
  revision: z.string().optional(),
  /** What the model knows; vectors weigh less in other languages. */
  languages: z
    .union([z.literal('all'), z.array(shaped(/^[a-z]{2,3}$/, 'a language code such as en')).min(1)], {
      error: 'all, or a list of language codes such as [en, de]',
    })
    .default('all'),
})
export type Embeddings = z.infer<typeof EmbeddingsFile>

/** How recall puts its two lists together (core/fuse.ts). */
const RecallFile = z
  .strictObject({
    k: z.number().min(1).max(1000).default(FUSION.k),
    words: z.number().min(0).max(1).default(FUSION.words),
    vectors: z.number().min(0).max(1).default(FUSION.vectors),
  })
  .refine(
    (recall) => recall.words + recall.vectors > 0,
    'a weight above 0 for words, for vectors, or for both',
  )

/**
 * A server that puts what was found into a better order. It is sent passages, so it stands in the house: `tier: local`
 * says so of an address that does not look like it.
 */
const RerankFile = z
  .strictObject({
    url: address,
    model: z.string(),
    key: variable.optional(),
    tier: z.literal('local', { error: 'local; what a cloud is sent cannot be limited yet' }).optional(),
    /** How long it is waited for; then the order stands as it was. */
    deadline: duration.default('1500ms'),
    /** Passages it is sent. */
    passages: z.int().min(2).max(100).default(30),
  })
  .refine(({ url, tier }) => tier === 'local' || isInHouse(new URL(url).hostname), {
    path: ['url'],
    error: 'an address in the house, or one with "tier: local" beside it: it is sent passages',
  })
export type Rerank = z.infer<typeof RerankFile>

export const ModelsFile = z.strictObject({
  /** The first one is asked where an agent names none. */
  pools: z.record(name, Pool).refine((pools) => Object.keys(pools).length > 0, 'at least one pool'),
  waits: Patience.optional(),
  embeddings: EmbeddingsFile.optional(),
  recall: RecallFile.optional(),
  rerank: RerankFile.optional(),
})
export type Models = z.infer<typeof ModelsFile>

/**
 * One source of knowledge. `audience` says who may read it: everyone in the workspace, or whoever is in one of
 * the channels (C…, G…) or user groups (S…) or is one of the people (U…, W…) that are listed.
 */
const about = {
  audience: z
    .union([
      z.literal('everyone'),
      z
        .array(shaped(/^[CGSUW][A-Z0-9]+$/, 'the id of a Slack channel, user group or person'))
        .min(1, 'at least one of them'),
    ])
    .default('everyone'),
  /**
   * Where a page can be opened: `{path}` is its path or address within the source, `${NAME}` the environment's; what
   * stands for the place of a passage is listed at `placeLink` in core/place.
   */
  link: z.string().optional(),
  /** How often it is read again; every ten minutes where it is left out. */
  every: shaped(/^[1-9]\d{0,5}[smhd]$/, 'a time such as 30s, 10m or 1d').optional(),
}
/** Channels of Slack that we are a member of. Who is in a channel, and nobody else, may read what was said in it. */
export const SlackSource = z.strictObject({
  slack: z.strictObject({
    channels: z.union(
      [
        z.literal('all'),
        z.array(shaped(/^[CG][A-Z0-9]+$/, 'the id of a Slack channel')).min(1, 'at least one channel'),
      ],
      'all, or a list of channel ids',
    ),
    /** How far back; what is older is forgotten. */
    since: shaped(/^[1-9]\d{0,3}d$/, 'a number of days such as 90d').default('90d'),
  }),
})
export type SlackSource = z.infer<typeof SlackSource>

/** Pages that a sitemap lists. */
const Web = z.strictObject({
  sitemap: address,
  /** Addresses to read, `*` for any characters; all where it is left out. */
  include: z.array(z.string().min(1)).min(1, 'at least one address').optional(),
  exclude: z.array(z.string().min(1)).default([]),
  maxPages: z.int().min(1).max(100_000).default(2_000),
  /** Further hosts that pages may stand on, as `docs.example.com` or `wiki.internal:8080`. */
  hosts: z
    .array(shaped(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:\d{1,5})?$/, 'a host such as docs.example.com'))
    .default([]),
})

const patterns = z.array(z.string().min(1)).min(1, 'at least one pattern').optional()
/** Which files are read, as patterns of their paths below the source: such as docs/** and *.md. */
const files = { include: patterns, exclude: patterns }
export const Source = z.union([
  z.strictObject({
    /** Relative to the home. `${NAME}` comes from the environment. */
    directory: z.string().min(1, 'a directory'),
    ...files,
    ...about,
  }),
  z.strictObject({
    /** A checkout, relative to the home, or the address of a repository, of which Quorum keeps a checkout. */
    git: z.string().min(1, 'a directory or an address'),
    /** Of an address: the branch that is read; the one it has by itself where it is left out. */
    branch: shaped(/^(?!-)[\w./-]{1,200}$/, 'the name of a branch').optional(),
    ...files,
    ...about,
  }),
  z.strictObject({
    /** An MCP server of mcp.json whose resources are read. */
    tool_server: name,
    /** Addresses (URIs) of resources, `*` for any characters; all where it is left out. */
    resources: z.array(z.string().min(1)).min(1, 'at least one address').optional(),
    ...about,
  }),
  z.strictObject({ web: Web, ...about }),
])
/** A source that is read from time to time; Slack's channels are followed as they change. */
export type Source = z.infer<typeof Source>

/** How many days things are kept: runs after they ended, what was heard from Slack after it was handled. */
const Retention = z.strictObject({
  runs: z.int().min(1, 'at least one day').optional(),
  inbox: z.int().min(1, 'at least one day').default(7),
})
export type Retention = z.infer<typeof Retention>

export const SourcesFile = z.strictObject({
  sources: z.record(name, z.union([...Source.options, SlackSource])).default({}),
  retention: Retention.default({ inbox: 7 }),
})
export type Sources = z.infer<typeof SourcesFile>

/** A home, read and checked: one directory that is a deployment. */
export type Home = {
  dir: string
  agents: Agent[]
  servers: Record<string, ToolServer>
  /** The same entries as mcp.json writes them, `${NAME}` not replaced: what is accepted must not depend on a machine. */
  written: Record<string, unknown>
  policy: Policy
  /** What tools.lock.json accepts; undefined where there is no such file, and then nothing is accepted. */
  lock: Lock | undefined
  models: Models | undefined
  budgets: Budgets
  sources: Sources['sources']
  retention: Retention
}
