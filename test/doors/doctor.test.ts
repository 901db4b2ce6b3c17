import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { runCommand } from '../support/command.ts'
import { type ModelServer, openModelServer } from '../support/model-server.ts'
import { makeTemporary } from '../support/temporary.ts'

describe('quorum doctor', { timeout: 120_000 }, () => {
  let workspace: Workspace
  let model: ModelServer
  let place: Awaited<ReturnType<typeof makeTemporary>>
  let good: Record<string, string>
  beforeAll(async () => {
    workspace = await openWorkspace()
    model = await openModelServer()
    place = await makeTemporary()
    await runCommand(['init', 'home'], { cwd: place.dir })
    await writeFile(path.join(place.dir, 'home', 'mcp.json'), '{"mcpServers": {}}')
    good = {
      SLACK_BOT_TOKEN: workspace.botToken,
      SLACK_APP_TOKEN: workspace.appToken,
      SLACK_API_URL: workspace.apiUrl,
      OPENAI_BASE_URL: model.url,
      OPENAI_MODEL: 'test',
    }
  })
  afterAll(async () => {
    await workspace.close()
    await model.close()
    await place.remove()
  })
  const doctor = (env: Record<string, string>) => runCommand(['doctor'], { cwd: place.dir, env })

  test('with nothing configured, says for each thing what to do, and fails', async () => {
    const { code, out } = await doctor({
      OPENAI_BASE_URL: '',
      DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none',
    })
    expect(code).toBe(1)
    expect(out).toMatch(/✗ slack +SLACK_BOT_TOKEN is not set\n +→ Create the app/)
    expect(out).toMatch(/✗ events/)
    expect(out).toMatch(/✗ database .*127\.0\.0\.1:9/)
    expect(out).not.toContain('    at ')
  })

  test('with everything in place, finds all well', async () => {
    const { code, out } = await doctor(good)
    expect(out).toMatch(/✓ slack +signed in to T0DEMO/)
    expect(out).toMatch(/✓ database +embedded/)
    expect(out).toMatch(/✓ pgvector/)
    expect(out).toMatch(/✓ model +test at/)
    expect(out).toMatch(/✓ embeddings/)
    expect(out).toMatch(/All well\./)
    expect(code).toBe(0)
  })

  test('tells of each server with accounts how many are connected, and of a key that is none', async () => {
    const file = path.join(place.dir, 'home', 'mcp.json')
    const auth = { type: 'oauth', per: 'user' }
    await writeFile(
      file,
      JSON.stringify({ mcpServers: { tickets: { url: 'https://tickets.example/mcp', auth } } }),
    )
    try {
      expect((await doctor(good)).out).toMatch(/! tool tickets +0 people have connected\n +→ Press Connect/)
      const wrong = await doctor({ ...good, QUORUM_SECRET: 'much-too-short' })
      expect(wrong.out).toMatch(/✗ accounts +QUORUM_SECRET is not 32 bytes/)
      expect(wrong.out).not.toContain('much-too-short')
      expect(wrong.code).toBe(1)
    } finally {
      await writeFile(file, '{"mcpServers": {}}')
    }
  })

  test('names a wrong token, a missing scope, an unreachable Redis and a model nobody serves', async () => {
    const [first] = workspace.scopes.splice(workspace.scopes.indexOf('chat:write'), 1)
    const wrong = {
      REDIS_URL: 'redis://127.0.0.1:9',
      DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:9/none',
    }
    const scope = await doctor({ ...good, ...wrong, OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' })
    workspace.scopes.push(first ?? '')
    expect(scope.out).toMatch(/✗ slack .*chat:write/)
    expect(scope.out).toMatch(/✗ queue .*127\.0\.0\.1:9/)
    expect(scope.out).toMatch(/✗ model /)
    expect(scope.out).not.toContain('secret')
    const token = await doctor({ ...good, ...wrong, SLACK_BOT_TOKEN: 'xoxb-wrong' })
    expect(token.out).toMatch(/✗ slack .*token/i)
    expect(token.out).not.toContain('xoxb-wrong')
  })

  test('names file, line and nearest key of a wrong home', async () => {
    await using other = await makeTemporary()
    await runCommand(['init', 'home'], { cwd: other.dir })
    await writeFile(
      path.join(other.dir, 'home', 'policy.yaml'),
      'tools:\n  filesystem__*:\n    decison: allow\n',
    )
    const { out } = await runCommand(['doctor'], {
      cwd: other.dir,
      env: { ...good, DATABASE_URL: 'postgres://x@127.0.0.1:9/x' },
    })
    expect(out).toMatch(/policy\.yaml:3: unknown key "decison".*"decision"/)
  })
})

describe('quorum start', () => {
  test('says in one sentence what is missing, and where to try without it', async () => {
    await using place = await makeTemporary()
    const { code, err } = await runCommand(['start'], { cwd: place.dir })
    expect(code).toBe(1)
    expect(err).toMatch(/SLACK_BOT_TOKEN.*npm run demo/)
    expect(err).not.toContain('    at ')
  })

  test('a wrong command or flag is answered with the usage', async () => {
    await using place = await makeTemporary()
    const unknown = await runCommand(['strat'], { cwd: place.dir })
    expect(unknown).toMatchObject({ code: 2 })
    expect(unknown.err).toMatch(/no command strat[\s\S]*quorum start/)
    const flag = await runCommand(['demo', '--frsh'], { cwd: place.dir })
    expect(flag.code).not.toBe(0)
    expect(flag.err).toMatch(/--frsh[\s\S]*Usage: quorum demo/)
  })
})
