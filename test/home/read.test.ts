import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { BudgetsFile } from '../../src/core/budget.ts'
import { readHome } from '../../src/home/read.ts'
import { makeHome, tryHome } from '../support/home.ts'

const TOOLS = '{ "mcpServers": { "files": { "command": "node" } } }'

async function linesOf(files: Record<string, string | Uint8Array>, env: Record<string, string> = {}) {
  const result = await tryHome(files, env)
  return 'lines' in result ? result.lines : []
}

async function homeOf(files: Record<string, string>, env: Record<string, string> = {}) {
  const result = await tryHome(files, env)
  if ('lines' in result) throw new Error(result.lines.join('\n'))
  return result.home
}

describe('a good home', () => {
  test('needs nothing but an agent', async () => {
    await using made = await makeHome()
    expect(await readHome(made.dir, {})).toEqual({
      dir: made.dir,
      agents: [{ name: 'quorum', maxTurns: 12, instructions: 'Answer.' }],
      servers: {},
      written: {},
      lock: undefined,
      policy: { admins: [], tools: {}, channels: {}, agents: {} },
      models: undefined,
      budgets: BudgetsFile.parse({}),
      sources: {},
      retention: { inbox: 7 },
    })
  })

  test('takes the name of an agent from its file', async () => {
    const home = await homeOf({ 'agents/ops.md': '---\nmaxTurns: 3\n---\n\nAct.\n\n---\n\nA rule.\n' })
    expect(home.agents).toEqual([{ name: 'ops', maxTurns: 3, instructions: 'Act.\n\n---\n\nA rule.' }])
  })

  test('reads Windows line ends, a byte order mark and an empty front matter', async () => {
    const home = await homeOf({
      'agents/a.md': '\uFEFF---\r\nmaxTurns: 2\r\n---\r\nOne\r\ntwo\r\n',
      'agents/b.md': '---\n---\nHello',
      'policy.yaml': '\uFEFFtools:\r\n  "*": { decision: deny }\r\n',
    })
    expect(home.agents.map(({ instructions }) => instructions)).toEqual(['One\ntwo', 'Hello'])
    expect(home.policy.tools['*']?.[0]?.decision).toBe('deny')
  })

  test('leaves what may be secret as it is written, also where it is set', async () => {
    const auth = { type: 'client_credentials', clientId: `\${ID}`, clientSecret: `\${SECRET}` }
    const home = await homeOf(
      { 'mcp.json': JSON.stringify({ mcpServers: { a: { url: 'https://a.example', auth } } }) },
      { ID: 'me', SECRET: 'hunter2' },
    )
    expect(home.servers.a).toMatchObject({ auth: { clientId: 'me', clientSecret: `\${SECRET}` } })
  })

  test('resolves directories against the home, and leaves arguments alone', async () => {
    await using made = await makeHome({
      'mcp.json': '{"mcpServers": {"a": {"command": "node", "args": ["./x.js"], "cwd": "work"}}}',
      'sources.yaml': 'sources:\n  near: { directory: pages }\n  far: { directory: /srv/pages }\n',
    })
    const home = await readHome(made.dir, {})
    expect(home.servers.a).toMatchObject({ args: ['./x.js'], cwd: resolve(made.dir, 'work') })
    expect(Object(home.sources.near).directory).toBe(resolve(made.dir, 'pages'))
    expect(Object(home.sources.far).directory).toBe('/srv/pages')
  })

  test("reads VS Code's shape, comments and a comma too many", async () => {
    const home = await homeOf({
      'mcp.json':
        '// tools\n{ "servers": { /* one */ "t": { "type": "http", "url": "https://t.example/mcp", }, }, }',
    })
    expect(home.servers).toEqual({ t: { type: 'http', url: 'https://t.example/mcp', headers: {} } })
  })

  test('takes a file of nothing but comments for a missing one', async () => {
    const home = await homeOf({ 'models.yaml': '# later\n', 'policy.yaml': '\n', 'sources.yaml': '---\n' })
    expect([home.models, home.policy, home.sources]).toEqual([
      undefined,
      { admins: [], tools: {}, channels: {}, agents: {} },
      {},
    ])
  })

  test('puts the environment in, but leaves what may be secret by its name', async () => {
    const home = await homeOf(
      {
        'mcp.json': `{ "mcpServers": {
          "a": { "command": "\${BIN}/run", "args": ["--in=\${DIR}", "$DIR", "\${}"], "cwd": "\${DIR}", "env": { "K": "\${SECRET}" } },
          "b": { "url": "https://\${HOST}/mcp", "headers": { "Authorization": "Bearer \${SECRET}" } } } }`,
        'sources.yaml': `sources: { pages: { directory: "\${DIR}/pages", link: "https://\${HOST}/{path}" } }`,
        'models.yaml': `pools: { main: { model: m, replicas: ["http://\${HOST}/v1"], key: SECRET, headers: { x: "\${SECRET}" } } }`,
      },
      { BIN: '/opt', DIR: '/data', HOST: 'h.example', SECRET: 'hush-hush' },
    )
    expect(home.servers.a).toMatchObject({ command: '/opt/run', cwd: '/data', env: { K: `\${SECRET}` } })
    expect(home.servers.a).toMatchObject({ args: ['--in=/data', '$DIR', `\${}`] })
    expect(home.servers.b).toMatchObject({ url: 'https://h.example/mcp' })
    expect(home.sources.pages).toMatchObject({ directory: '/data/pages', link: 'https://h.example/{path}' })
    expect(home.models?.pools.main?.replicas).toEqual(['http://h.example/v1'])
    expect(JSON.stringify(home)).not.toContain('hush-hush')
  })

  test('follows anchors and aliases', async () => {
    const home = await homeOf({
      'mcp.json': TOOLS,
      'policy.yaml': 'tools:\n  files__a: &ask { decision: ask }\n  files__b: *ask\n',
    })
    expect(home.policy.tools.files__b).toEqual([{ decision: 'ask' }])
  })
})

describe('a bad home', () => {
  test('that is not there says how to write one', async () => {
    await expect(readHome('/nowhere/home', {})).rejects.toThrow(
      'There is no home at /nowhere/home. `quorum init /nowhere/home` writes a first one.',
    )
  })

  test('reports all problems of all files at once, sorted, under one heading', async () => {
    await using made = await makeHome({
      'agents/quorum.md': '---\nmaxTurn: 3\n---\nHi',
      'mcp.json': '{\n "mcpServers": {\n  "a": { "comand": "x" } } }',
      'policy.yaml': 'tools:\n  "*":\n    decison: ask\n',
      'sources.yaml': 'sources:\n\tpages: {}\n',
    })
    await expect(readHome(made.dir, {})).rejects.toMatchObject({
      code: 'config-invalid',
      retry: false,
      message: [
        `The home ${made.dir} has 4 problems:`,
        'agents/quorum.md:2: unknown key "maxTurn"; did you mean "maxTurns"?',
        'mcp.json:3: unknown key "comand"; did you mean "command"?',
        'policy.yaml:3: unknown key "decison"; did you mean "decision"?',
        'sources.yaml:2: tabs are not allowed as indentation',
      ].join('\n'),
    })
  })

  test('without agents, or with agents that cannot be read', async () => {
    expect(await linesOf({ 'agents/notes.txt': 'x' })).toEqual([
      'agents: there is no agent; write one as agents/<name>.md',
    ])
    expect(
      await linesOf({
        'agents/a.md': 'Hello',
        'agents/b.md': '---\nname: b\n',
        'agents/c.md': '---\nname: d\n---\n\n',
        'agents/Big Name.md': '---\n---\nHi',
        'agents/e.md': '---\n- x\n---\nHi',
        'agents/f.md': new Uint8Array([0x2d, 0xff, 0xfe]),
        'agents/g.md': `---\n---\n${'x'.repeat(1024 * 1024)}`,
      }),
    ).toEqual([
      'agents/Big Name.md:2: "name" must be a short name: lower-case letters, digits, - and _, not "Big Name"',
      'agents/a.md:1: the file must begin with front matter between two lines of ---',
      'agents/b.md:1: the front matter is not closed by a line of ---',
      'agents/c.md:1: there are no instructions below the front matter',
      'agents/c.md:2: "name" must be "c", as the file is called, or be left out',
      'agents/e.md:2: the file must be keys with values, not a list',
      'agents/f.md: the file is not UTF-8 text',
      'agents/g.md: the file is larger than 1 MiB',
    ])
  })

  test('with a file under a name that is not read', async () => {
    expect(
      await linesOf({ 'policy.yml': 'tools: {}', 'source.yaml': '', 'mcp.jsonc': '{}', 'other.yaml': '' }),
    ).toEqual([
      'mcp.jsonc: this file is not read; did you mean "mcp.json"?',
      'policy.yml: this file is not read; did you mean "policy.yaml"?',
      'source.yaml: this file is not read; did you mean "sources.yaml"?',
    ])
    expect(await linesOf({ 'policy.yaml': 'tools: {}', 'policy.old.yaml': '' })).toEqual([])
  })

  test('with names that lead nowhere', async () => {
    expect(
      await linesOf({
        'agents/a.md':
          '---\nmodel: mian\ntools:\n  - files__*\n  - flies__read\nknowledge: [handbok]\n---\nHi',
        'mcp.json': TOOLS,
        'models.yaml': 'pools: { main: { model: m, replicas: [http://h.example/v1] } }',
        'policy.yaml':
          'tools:\n  files__x: { decision: ask }\n  fils__x: { decision: deny }\n  files: { decision: deny }\n  "*__x": { decision: ask }\n',
        'sources.yaml': 'sources: { handbook: { directory: x } }',
      }),
    ).toEqual([
      'agents/a.md:2: there is no pool "mian" in models.yaml; did you mean "main"?',
      'agents/a.md:5: there is no server "flies" in mcp.json; did you mean "files"?',
      'agents/a.md:6: there is no source "handbok" in sources.yaml; did you mean "handbook"?',
      'policy.yaml:3: there is no server "fils" in mcp.json; did you mean "files"?',
      'policy.yaml:4: "files" matches no tool; tools are called server__tool, as filesystem__read*',
    ])
  })

  test('does not look for names in a file that is wrong itself', async () => {
    expect(
      await linesOf({ 'mcp.json': '{', 'policy.yaml': 'tools: { files__x: { decision: ask } }' }),
    ).toHaveLength(1)
  })

  test('with variables that are not set or empty', async () => {
    expect(
      await linesOf(
        {
          'mcp.json': `{ "mcpServers": {\n"a": { "command": "\${NOT_SET}" },\n"b": { "url": "https://x.example",\n"headers": { "k": "\${EMPTY}" } } } }`,
          'models.yaml':
            'pools:\n  main:\n    model: m\n    replicas: [http://h.example/v1]\n    key: MODEL_KEY\n',
        },
        { EMPTY: '' },
      ),
    ).toEqual([
      'mcp.json:2: NOT_SET is not set in the environment',
      'mcp.json:4: EMPTY is not set in the environment',
      'models.yaml:5: MODEL_KEY is not set in the environment',
    ])
  })

  test('never repeats what may be a secret', async () => {
    const secret = 'sk-live-8c1f'
    const lines = await linesOf({
      'mcp.json': `{ "mcpServers": { "a": { "command": "x", "env": { "K": ["${secret}"] } }, "b": { "url": "${secret}", "headers": { "x": 1 } } } }`,
      'models.yaml': `pools: { main: { model: m, key: "${secret}", replicas: ["${secret}"] } }\nembeddings: { model: m, url: "ftp://${secret}", key: "${secret}" }`,
    })
    expect(lines.length).toBeGreaterThanOrEqual(7)
    expect(lines.join('\n')).not.toContain(secret)
  })
})
