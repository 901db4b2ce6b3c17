/**
 * The host that the conformance suite drives: the product's own client module, and whatever stands around it in a
 * workspace (a person who signs in and fills forms) by hand.
 *   node driver.ts URL
 */
import { auth, type OAuthClientProvider, type Tool, UnauthorizedError } from '@modelcontextprotocol/client'
import { ToolServer } from '../../src/core/home.ts'
import { dial, type Line, listTools } from '../../src/tools/dial.ts'
import { guardedFetch } from '../../src/tools/egress.ts'
import { expandServer } from '../../src/tools/expand.ts'

const url = process.argv[2] ?? ''
const context = JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}') as {
  client_id?: string
  client_secret?: string
  toolCalls?: { name: string; arguments: Record<string, unknown> }[]
}
/** Every server of the suite is here, each on a port of its own. */
const reach = { egress: ['localhost', '127.0.0.1'], limits: {} }
const fetchFn = guardedFetch({ server: 'suite', url: new URL(url), egress: reach.egress })
const MOST_SIGN_INS = 2

/** What the browser came back with. */
let answer: { code: string; iss?: string } | undefined
const provider = person()

/** Somebody who presses Connect and agrees to everything. */
function person(): OAuthClientProvider {
  const { client_id, client_secret } = context
  const kept: Record<string, unknown> = {}
  const keep = (name: string) => (value: unknown) => {
    kept[name] = value
  }
  if (client_id) kept.client = { client_id, ...(client_secret && { client_secret }) }
  return {
    redirectUrl: 'http://localhost:3000/callback',
    clientMetadataUrl: 'https://conformance-test.local/client-metadata.json',
    clientMetadata: {
      client_name: 'quorum',
      redirect_uris: ['http://localhost:3000/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    },
    clientInformation: () => kept.client as never,
    saveClientInformation: keep('client'),
    tokens: () => kept.tokens as never,
    saveTokens: keep('tokens'),
    codeVerifier: () => kept.verifier as never,
    saveCodeVerifier: keep('verifier'),
    // Only while the browser is away: whoever begins anew looks anew.
    discoveryState: () => (answer ? (kept.discovery as never) : undefined),
    saveDiscoveryState: keep('discovery'),
    async redirectToAuthorization(address) {
      const { headers } = await fetch(address, { redirect: 'manual' })
      const back = new URL(headers.get('location') ?? '').searchParams
      const [code, iss] = [back.get('code'), back.get('iss')]
      if (code) answer = { code, ...(iss !== null && { iss }) }
    },
  }
}

/** Does something, signing in as often as the server wants, within reason. */
async function signedIn<T>(work: () => Promise<T>): Promise<T> {
  for (let time = 0; ; time++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof UnauthorizedError) || !answer || time === MOST_SIGN_INS) throw error
      const { code, iss } = answer
      await auth(provider, {
        serverUrl: url,
        authorizationCode: code,
        ...(iss !== undefined && { iss }),
        fetchFn,
      })
      answer = undefined
    }
  }
}

function connect(): Promise<Line> {
  const server = ToolServer.parse({ url })
  const signed = process.env.MCP_CONFORMANCE_SCENARIO?.startsWith('auth/') ?? false
  return dial(expandServer(server, {}, '.'), undefined, {
    server: 'suite',
    reach,
    onListChanged() {},
    onResourcesChanged() {},
    onStart() {},
    log: (level, message, fields) => console.error(level, message, fields),
    ...(signed && { authProvider: provider }),
    onElicit: async () => ({ action: 'accept', content: {} }),
  })
}

/** Arguments that fit a simple schema; where an object is wanted, the schema of the first tool. */
function invent(tool: Tool): Record<string, unknown> {
  const kinds = Object.entries(tool.inputSchema.properties ?? {}) as [string, { type?: string }][]
  const values: Record<string, unknown> = {
    number: 5,
    integer: 3,
    boolean: true,
    object: tools[0]?.inputSchema,
  }
  return Object.fromEntries(kinds.map(([name, { type }]) => [name, values[type ?? ''] ?? 'text']))
}

const line = await signedIn(connect)
const { client } = line
const tools = await signedIn(() => listTools(client))
const calls = context.toolCalls ?? tools.map((tool) => ({ name: tool.name, arguments: invent(tool) }))
for (const call of calls) await signedIn(() => client.callTool(call))
const { resources, prompts } = client.getServerCapabilities() ?? {}
if (resources) {
  for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri })
}
if (prompts) {
  for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name })
}
await client.close()
