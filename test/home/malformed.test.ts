import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tryHome } from '../support/home.ts'

/** File, content, the line it must produce (after the file's name). */
const CASES: [file: string, content: string, line: string][] = [
  [
    'policy.yaml',
    'tools:\n  "*":\n    decision: alow\n',
    ':3: "tools.*.decision" must be "allow" or "ask" or "deny", not "alow"; did you mean "allow"?',
  ],
  [
    'policy.yaml',
    'tools:\n  "*": { decision: ask, expires: 8 hours }\n',
    ':2: "tools.*.expires" must be a time such as 30m, 8h or 2d, not "8 hours"',
  ],
  [
    'policy.yaml',
    'tools:\n  "*": { decision: ask, expires: 30 }\n',
    ':2: "tools.*.expires" must be a time such as 30m, 8h or 2d, not a number',
  ],
  [
    'policy.yaml',
    'tools:\n  "*":\n    decision: ask\n    approvers:\n      - requester\n      - bob\n',
    ':6: "tools.*.approvers[2]" must be a Slack user id, a user group id (S…), or requester, not "bob"',
  ],
  [
    'policy.yaml',
    'tools:\n  "*": { decision: ask, approvers: [] }\n',
    ':2: "tools.*.approvers" must be at least one approver',
  ],
  [
    'policy.yaml',
    'tools:\n  "*": { aprovers: [requester] }\n',
    ':2: unknown key "aprovers"; did you mean "approvers"?',
  ],
  [
    'policy.yaml',
    'tools:\n  "*":\n    - { decision: ask }\n    - { decision: deny, wehn: { a: 1 } }\n',
    ':4: unknown key "wehn"; did you mean "when"?',
  ],
  ['policy.yaml', 'channels:\n  C1: { tols: {} }\n', ':2: unknown key "tols"; did you mean "tools"?'],
  [
    'policy.yaml',
    'tools:\n  "a b__c": { decision: ask }\n',
    ':2: the key "a b__c" must be a tool or a pattern such as filesystem__read*',
  ],
  ['policy.yaml', 'tools:\n  "*": ask\n', ':2: "tools.*" must be keys with values or a list, not text'],
  ['policy.yaml', 'tools:\n', ':1: "tools" must be keys with values, not empty'],
  ['policy.yaml', '- tools\n', ':1: the file must be keys with values, not a list'],
  [
    'policy.yaml',
    'rules: {}\n',
    ':1: unknown key "rules"; known are "admins", "models", "tools", "channels", "agents"',
  ],
  ['budgets.yaml', 'workspace: { day: { token: 5M } }\n', ':1: unknown key "token"; did you mean "tokens"?'],
  [
    'budgets.yaml',
    'users:\n  "*": { day: { tokens: lots } }\n',
    ':2: "users.*.day.tokens" must be a number of tokens such as 200000, 200k or 2M, not text',
  ],
  [
    'budgets.yaml',
    'workspace: { week: { tokens: 5M } }\n',
    ':1: unknown key "week"; known are "day", "month"',
  ],
  [
    'budgets.yaml',
    'zone: Berlin\n',
    ':1: "zone" must be a time zone such as Europe/Berlin, or UTC, not "Berlin"',
  ],
  [
    'budgets.yaml',
    'agents: { quorun: { day: { tokens: 1M } } }\n',
    ':1: there is no agent "quorun"; did you mean "quorum"?',
  ],
  [
    'budgets.yaml',
    'users: { ana: { day: { tokens: 1M } } }\n',
    ':1: the key "ana" must be a Slack user id, or *',
  ],
  ['policy.yaml', 'Tools: {}\n', ':1: unknown key "Tools"; did you mean "tools"?'],
  [
    'policy.yaml',
    'tools:\n  "*": { decision: ask }\n  "*": { decision: deny }\n',
    ':3: the key "*" is given twice',
  ],
  [
    'models.yaml',
    'pools:\n  main: { model: m, replicas: [localhost:8000] }\n',
    ':2: "pools.main.replicas[1]" must be an address that begins with http:// or https://',
  ],
  [
    'models.yaml',
    'pools:\n  a: { model: m, replicas: [http://a.example], instead: [c] }\n  b: { model: m, replicas: [http://a.example] }\n',
    ':2: there is no pool "c" in models.yaml; did you mean "b"?',
  ],
  [
    'models.yaml',
    'pools:\n  a: { model: m, replicas: [http://a.example, http://a.example/] }\n',
    ':2: http://a.example stands here twice',
  ],
  [
    'models.yaml',
    'pools:\n  a:\n    model: 7\n    replicas: [http://a.example]\n',
    ':3: "pools.a.model" must be text, not a number (put it in quotes)',
  ],
  [
    'models.yaml',
    'pools:\n  a:\n    model: m\n    replicas: [http://a.example]\n    timers:\n      first_token: 5s\n',
    ':6: unknown key "first_token"; did you mean "firstToken"?',
  ],
  [
    'models.yaml',
    'pools:\n  a: { model: m, replicas: [http://a.example], contextTokens: 1.5 }\n',
    ':2: "pools.a.contextTokens" must be a whole number, not 1.5',
  ],
  [
    'models.yaml',
    'pools:\n  a: { model: m, replicas: [http://a.example], contextTokens: 0 }\n',
    ':2: "pools.a.contextTokens" must be at least 1, not 0',
  ],
  ['models.yaml', 'embeddings: { url: http://a.example, model: m }\n', ':1: missing key "pools"'],
  [
    'sources.yaml',
    'sources:\n  a:\n    directory: x\n    audience: evryone\n',
    ':4: "sources.a.audience" must be "everyone" or a list, not text; did you mean "everyone"?',
  ],
  [
    'sources.yaml',
    'sources:\n  a:\n    directory: x\n    audience:\n      - general\n',
    ':5: "sources.a.audience[1]" must be the id of a Slack channel, user group or person, not "general"',
  ],
  [
    'sources.yaml',
    'sources:\n  a: { directry: x }\n',
    ':2: unknown key "directry"; did you mean "directory"?',
  ],
  ['mcp.json', '', ':1: expected a value, found the end of the file'],
  ['mcp.json', '[]', ':1: the file must be keys with values, not a list'],
  [
    'mcp.json',
    '{\n  "mcpServers": {\n    "a": { "command": "x",, }\n  }\n}',
    ':3: expected a key in double quotes or }, found ","',
  ],
  ['mcp.json', "{\n  'mcpServers': {}\n}", ':2: expected a key in double quotes or }, found "\'"'],
  ['mcp.json', '{\n  "mcpServers": {}\n', ':3: expected , or }, found the end of the file'],
  ['mcp.json', '{\n  "mcpServers": {}\n}\n}', ':4: unexpected "}" after the end of the JSON'],
  [
    'mcp.json',
    '{ "mcpServers":\n{ "a": { "command": "x\n" } } }',
    ':2: a text in quotes does not end on its line',
  ],
  [
    'mcp.json',
    '{ "mcpServers": { "a": { "command": "x" },\n"a": { "command": "y" } } }',
    ':2: the key "a" is given twice',
  ],
  ['mcp.json', '{ "mcpServers": { "a": { "command": yes } } }', ':1: expected a value, found "yes"'],
  ['mcp.json', '{ "mcpServer": {} }', ':1: unknown key "mcpServer"; did you mean "mcpServers"?'],
  ['mcp.json', '{ "server": {} }', ':1: unknown key "server"; did you mean "servers"?'],
  [
    'mcp.json',
    '{ "mcpServers": {\n "a": { "type": "sse", "url": "https://a.example" } } }',
    ':2: "mcpServers.a.type" must be "http" or "streamable-http", not "sse"',
  ],
  [
    'mcp.json',
    '{ "mcpServers": {\n "a": { "command": "x", "url": "https://a.example" } } }',
    ':2: the key "url" does not fit with the other keys here',
  ],
  [
    'mcp.json',
    '{ "mcpServers": {\n "a": { "command": "x",\n "arguments": [] } } }',
    ':3: unknown key "arguments"; known are "type", "command", "args", "env", "cwd", "sandbox", "timeoutMs", "url", "headers", "auth"',
  ],
  [
    'mcp.json',
    '{ "mcpServers": { "a": { "url": "https://a.example",\n "auth": { "type": "client_credentials", "clientId": "me",\n "clientSecret": "hunter2" } } } }',
    ':3: "mcpServers.a.auth.clientSecret" must be a reference to an environment variable, not the secret itself',
  ],
  [
    'mcp.json',
    '{ "mcpServers": { "a": { "url": "https://a.example",\n "auth": { "type": "oauth", "per": "team" } } } }',
    ':2: "mcpServers.a.auth.per" must be "user" or "workspace", not "team"',
  ],
  [
    'mcp.json',
    '{ "mcpServers": {\n "a": { "ur": "https://a.example" } } }',
    ':2: unknown key "ur"; did you mean "url"?',
  ],
  [
    'mcp.json',
    '{ "mcpServers": {\n "a": { "command": "x", "env": { "PORT": 1 } } } }',
    ':2: "mcpServers.a.env.PORT" must be text, not a number (put it in quotes)',
  ],
  [
    'mcp.json',
    '{ "mcpServers": {\n "My Server": { "command": "x" } } }',
    ':2: the key "My Server" must be a short name: lower-case letters, digits, - and _',
  ],
]

describe('every slip becomes one line with its place', () => {
  test.each(CASES)('%s %j', async (file, content, line) => {
    const result = await tryHome({ [file]: content })
    expect('lines' in result ? result.lines : result).toEqual([`${file}${line}`])
  })
})

test('a file that loops back into itself is refused, not followed', async () => {
  const result = await tryHome({ 'policy.yaml': 'tools: &t\n  "*": *t\n' })
  expect('lines' in result && result.lines[0]).toContain('policy.yaml:2: unknown key "*"')
})

test('a file that swells when its aliases are followed is refused', async () => {
  const doubled = Array.from({ length: 20 }, (_, n) => `k${n + 1}: &k${n + 1} [*k${n}, *k${n}]`)
  const result = await tryHome({ 'policy.yaml': ['k0: &k0 [x]', ...doubled].join('\n') })
  expect(result).toEqual({
    lines: ['policy.yaml:1: excessive alias count indicates a resource exhaustion attack'],
  })
})

describe('whatever stands in the files', () => {
  const files = fc.constantFrom('mcp.json', 'policy.yaml', 'models.yaml', 'sources.yaml', 'agents/a.md')
  const noise = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.json({ maxDepth: 4 }),
    fc.stringMatching(/^[ \t{}[\]:,'"&*!|>#\-\na]{0,60}$/),
    fc.json({ maxDepth: 3 }).map((json) => `---\n${json}\n---\ntext`),
    fc.json({ maxDepth: 3 }).map((json) => `{"mcpServers": ${json}}`),
    fc.json({ maxDepth: 3 }).map((json) => `tools: ${json}\n`),
    fc.json({ maxDepth: 3 }).map((json) => `sources: ${json}\n`),
    fc.json({ maxDepth: 3 }).map((json) => `pools: {a: ${json}}\n`),
  )

  test('is read, or refused with lines that name the file', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(files, noise, async (file, content) => {
        const result = await tryHome({ [file]: content })
        if ('home' in result) return
        expect(result.lines.length).toBeGreaterThan(0)
        const last = content.split('\n').length
        for (const line of result.lines) {
          const match = /^([\w./]+)(?::(\d+))?: \S/.exec(line)
          expect(match?.[1], line).toBe(file)
          expect(Number(match?.[2] ?? 1), line).toBeLessThanOrEqual(last)
        }
      }),
      { numRuns: 400 },
    )
  })
})
