import { expect, test } from 'vitest'
import { openWorkspace } from '../../src/demo/workspace/open.ts'
import { runCommand, startCommand } from '../support/command.ts'
import { makeHome } from '../support/home.ts'
import { follow } from '../support/installing.ts'
import { freePort } from '../support/stage.ts'

test('an operator invites a workspace, it is installed while Quorum runs, looked at, and left again', {
  timeout: 180_000,
}, async () => {
  await using home = await makeHome({
    'models.yaml': JSON.stringify({
      pools: { main: { model: 'test', replicas: ['http://127.0.0.1:9/v1'] } },
    }),
  })
  await using slack = await openWorkspace({ installed: false })
  const env = {
    SLACK_CLIENT_ID: slack.clientId,
    SLACK_CLIENT_SECRET: slack.clientSecret,
    SLACK_APP_TOKEN: slack.appToken,
    SLACK_API_URL: slack.apiUrl,
    QUORUM_HOME: home.dir,
    PORT: String(await freePort()),
  }
  const run = (...args: string[]) => runCommand(args, { cwd: home.dir, env })
  const running = startCommand(['start'], { cwd: home.dir, env })
  try {
    await running.printed(/quorum is running/, 60_000)
    const invited = await run('workspaces', 'invite', '--days', '1')
    const [link = ''] = invited.out.split('\n')
    expect(invited.out).toContain('set QUORUM_URL')
    expect((await follow(link, slack)).text).toContain('Installed in Demo')
    await running.printed(/a workspace is attended to/, 60_000)
  } finally {
    running.signal('SIGTERM')
    await running.ended
  }
  const listed = await run('workspaces')
  expect(listed.err).toBe('')
  expect(listed.out).toMatch(/^T0DEMO +Demo +installed 20.* by U0CHLOE\n$/)
  expect((await run('doctor')).out).toMatch(/✓ workspace +Demo \(T0DEMO\): its token works/)
  slack.revokeTokens()
  expect((await run('doctor')).out).toMatch(
    /✗ workspace +Demo \(T0DEMO\): Slack refuses its token\n +→ .*install it again/,
  )
  expect((await run('workspaces', 'remove', 'T0DEMO')).out).toContain('Nothing was done')
  expect((await run('workspaces', 'remove', 'T0DEMO', '--yes')).out).toContain(
    'Quorum left Demo; 0 runs were ended.',
  )
  // Nothing is kept of it that would let it come back uninvited.
  expect((await run('workspaces')).out).toContain('installed nowhere')
})

test('without the app of whom to be invited, it says what to set', async () => {
  await using home = await makeHome({})
  const refused = await runCommand(['workspaces', 'invite'], { cwd: home.dir, env: {} })
  expect(refused).toMatchObject({ code: 1 })
  expect(refused.err).toContain('Set SLACK_CLIENT_ID and SLACK_CLIENT_SECRET')
})
