import { expect, test } from 'vitest'
import { takeInstallChange } from '../../src/agent/installs/change.ts'
import type { Workspace } from '../../src/demo/workspace/open.ts'
import { sealFor } from '../../src/doors/install.ts'
import { serve } from '../../src/doors/serve.ts'
import { installChangeOf } from '../../src/slack/installs.ts'
import { openSlackOAuth } from '../../src/slack/oauth.ts'
import { readInstall } from '../../src/store/installs.ts'
import { openSeal } from '../../src/store/seal.ts'
import { baseOf, comeBack, installIn, invite, openLink, press } from '../support/installing.ts'
import { openStage, type Stage, type StageOptions, until } from '../support/stage.ts'

const PATIENCE = { timeout: 120_000 }
const ORG = { id: 'E0ORG', name: 'Org' }

const open = (options: StageOptions = {}) =>
  openStage({
    installs: true,
    model: ({ body }) => ({ text: `Heard: ${body.messages.at(-1)?.content}` }),
    ...options,
  })

/** Until this process attends to exactly these workspaces. */
async function attended(stage: Stage, ...teams: string[]): Promise<void> {
  await until(
    async () => JSON.stringify(stage.serving().workspaces().toSorted()) === JSON.stringify(teams.toSorted()),
    30_000,
  )
}

/** Asks in #general and waits for the answer there. */
async function ask(workspace: Workspace, words: string): Promise<string> {
  const { general } = workspace.channels
  const ts = await workspace.say(workspace.users.ana, general, `@quorum ${words}`)
  const answer = await workspace.until(
    () =>
      workspace.messages(general, ts).find((m) => m.user === workspace.botUser && m.text?.includes('Heard:')),
    30_000,
  )
  return answer.text
}

test.each([false, true])(
  'a workspace is installed while it runs, and served at once (HTTP: %s)',
  PATIENCE,
  async (http) => {
    await using stage = await open({ http })
    expect(stage.serving().workspaces()).toEqual([])
    const page = await installIn(stage, stage.workspace)
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining('Installed in Demo') })
    await attended(stage, stage.workspace.team)
    expect(await ask(stage.workspace, 'are you there')).toContain('are you there')
    await stage.restart()
    expect(await ask(stage.workspace, 'still there')).toContain('still there')
  },
)

test(
  'what stands in the database opens nothing: the token is sealed, and sealed anew with a newer key',
  PATIENCE,
  async () => {
    const [old, next] = [Buffer.alloc(32, 1).toString('base64'), Buffer.alloc(32, 2).toString('base64')]
    await using stage = await open({ secret: old })
    await installIn(stage, stage.workspace)
    const [token = ''] = stage.workspace.tokens()
    const read = () => readInstall(stage.engines.store.pool, stage.workspace.team)
    const before = (await read())?.sealed ?? ''
    expect(token).toMatch(/^xoxb-/)
    expect(JSON.stringify(await stage.engines.store.pool.query('select * from installs'))).not.toContain(
      token,
    )
    await stage.stop()
    stage.engines.seal = openSeal(`${next},${old}`)
    await stage.restart()
    expect(await ask(stage.workspace, 'with a new key')).toContain('with a new key')
    const after = (await read())?.sealed ?? ''
    expect(after).not.toBe(before)
    stage.engines.seal = openSeal(next)
    await stage.restart()
    expect(await ask(stage.workspace, 'and without the old one')).toContain('without')
    // With a wrong key alone it starts, serves nobody, says why, and keeps what is sealed.
    stage.engines.seal = openSeal(old)
    await stage.restart()
    await until(async () => stage.log.some((line) => line.includes('sealed under another QUORUM_SECRET')))
    expect(stage.serving().workspaces()).toEqual([])
    expect((await read())?.sealed).toBe(after)
    stage.engines.seal = openSeal(next)
    await stage.restart()
    expect(await ask(stage.workspace, 'and back')).toContain('and back')
    expect(stage.log.join()).not.toContain(token)
  },
)

test(
  'nobody installs it without being invited, an invitation is good once, and an answer only in its browser',
  PATIENCE,
  async () => {
    await using stage = await open()
    const { workspace } = stage
    await using other = await workspace.beside({ team: { id: 'T0OTHER', name: 'Other' }, installed: false })
    const bare = `${baseOf(stage)}/slack/install`
    workspace.allowRedirect(`${baseOf(stage)}/slack/oauth_redirect`)

    const uninvited = await installIn(stage, other, { link: bare })
    expect(uninvited).toMatchObject({
      status: 400,
      text: expect.stringMatching(/Other \(T0OTHER\) was not invited/),
    })
    expect(other.tokens()).toEqual([])
    expect(await openLink(`${bare}?invitation=made.up`)).toMatchObject({ status: 400 })
    expect(await openLink(invite(stage, -1))).toMatchObject({
      status: 400,
      text: expect.stringContaining('not any more'),
    })

    const link = invite(stage)
    const [here, there] = [await openLink(link), await openLink(link)]
    if ('status' in here || 'status' in there) throw new Error('the link leads nowhere')
    const back = await press(here.location, workspace.team)
    expect((await comeBack(back, there.cookie)).text).toContain('did not begin in this browser')
    expect((await comeBack(back, '')).text).toContain('did not begin in this browser')
    expect((await comeBack(back.replace('state=', 'state=x'), here.cookie)).status).toBe(400)
    expect((await comeBack(back, here.cookie)).text).toContain('Installed in Demo')
    expect((await comeBack(back, here.cookie)).text).toContain('used already')

    const second = await press(there.location, other.team)
    expect((await comeBack(second, there.cookie)).text).toContain('was not invited')
    const denied = await openLink(invite(stage))
    if ('status' in denied) throw new Error('the link leads nowhere')
    expect((await comeBack(await press(denied.location, other.team, 'deny'), denied.cookie)).text).toContain(
      'You did not agree',
    )
    await attended(stage, workspace.team)
    // Whoever had it needs no invitation to have it again.
    expect((await installIn(stage, workspace, { link: bare })).text).toContain('Installed in Demo')
  },
)

test(
  'removed from Slack: its token is gone at once, its work ends, the others go on, and it may be installed again',
  PATIENCE,
  async () => {
    let hang: (() => void) | undefined
    await using stage = await open({
      model: async ({ body }) => {
        const words = body.messages.at(-1)?.content ?? ''
        if (words.includes('take your time'))
          await new Promise<void>((resolve) => {
            hang = resolve
          })
        return { text: `Heard: ${words}` }
      },
    })
    const { workspace } = stage
    await using other = await workspace.beside({ team: { id: 'T0OTHER', name: 'Other' }, installed: false })
    await installIn(stage, workspace)
    await installIn(stage, other)
    await attended(stage, workspace.team, other.team)
    const { pool } = stage.engines.store
    await pool.query(
      `insert into credentials (workspace, server, person, resource, id, sealed) values ($1, 's', 'U0ANA', 'r', gen_random_uuid(), 'x'), ($2, 's', 'U0ANA', 'r', gen_random_uuid(), 'x')`,
      [workspace.team, other.team],
    )
    await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum take your time')
    await until(async () => hang, 30_000)

    workspace.uninstall()
    await until(async () => (await readInstall(pool, workspace.team))?.state === 'removed', 30_000)
    expect(await readInstall(pool, workspace.team)).toMatchObject({ sealed: null, expiresAt: null })
    await attended(stage, other.team)
    hang?.()
    const runs = await pool.query('select active from runs where workspace = $1', [workspace.team])
    expect(runs.rows).toEqual([{ active: false }])
    expect((await pool.query('select workspace from credentials')).rows).toEqual([{ workspace: other.team }])
    expect(await ask(other, 'are you there')).toContain('are you there')

    await installIn(stage, workspace, { link: `${baseOf(stage)}/slack/install` })
    await attended(stage, workspace.team, other.team)
    expect(await ask(workspace, 'back again')).toContain('back again')
    expect(JSON.stringify(workspace.messages(workspace.channels.general))).not.toContain(
      'Heard: take your time',
    )
  },
)

test(
  'a removal that is told late does not end what was installed since; one of tokens alone counts as well',
  PATIENCE,
  async () => {
    await using stage = await open()
    const { workspace } = stage
    await installIn(stage, workspace)
    await attended(stage, workspace.team)
    const late = {
      type: 'event_callback',
      team_id: workspace.team,
      event_id: 'Ev1',
      event: { type: 'app_uninstalled' },
    }
    const oauth = openSlackOAuth(workspace, { apiUrl: workspace.apiUrl })
    const context = {
      pool: stage.engines.store.pool,
      held: { oauth, seal: sealFor(stage.engines) },
      poke: () => {},
      log: () => {},
    }
    const change = installChangeOf({ ...late, event_time: Math.floor(Date.now() / 1000) - 5 })
    if (!change) throw new Error('nothing was said')
    await takeInstallChange(context, change)
    expect(await ask(workspace, 'still here')).toContain('still here')
    workspace.revokeTokens()
    await attended(stage)
    expect(await readInstall(context.pool, workspace.team)).toMatchObject({ state: 'removed' })
  },
)

test(
  'an organisation installs it once: one token, the workspaces it lets us into, each apart',
  PATIENCE,
  async () => {
    await using stage = await open({ enterprise: ORG })
    const { workspace } = stage
    await using other = await workspace.beside({
      team: { id: 'T0OTHER', name: 'Other' },
      enterprise: ORG,
      installed: false,
    })
    const page = await installIn(stage, workspace, { team: ORG.id })
    expect(page.text).toContain('adds it to workspaces')
    await attended(stage, workspace.team)
    other.grantAccess(true)
    await attended(stage, workspace.team, other.team)
    expect(await ask(workspace, 'in the one')).toContain('in the one')
    expect(await ask(other, 'in the other')).toContain('in the other')
    expect(JSON.stringify(workspace.messages(workspace.channels.general))).not.toContain('in the other')
    const found = await stage.engines.store.pool.query('select distinct workspace from runs order by 1')
    expect(found.rows.map((row) => row.workspace)).toEqual([workspace.team, other.team].toSorted())
    other.grantAccess(false)
    await attended(stage, workspace.team)
    workspace.uninstall()
    await attended(stage)
  },
)

test(
  'removed where it is served by a token of the environment: its work ends, and the process goes on',
  PATIENCE,
  async () => {
    let begun = false
    await using stage = await open({
      installs: false,
      model: async () => {
        begun = true
        await new Promise((resolve) => setTimeout(resolve, 3_000))
        return { text: 'Heard: it' }
      },
    })
    const { workspace } = stage
    await workspace.say(workspace.users.ana, workspace.channels.general, '@quorum take your time')
    await until(async () => begun, 30_000)
    workspace.uninstall()
    await until(async () => {
      const runs = await stage.engines.store.pool.query('select active from runs')
      return runs.rows.length === 1 && runs.rows[0].active === false
    }, 30_000)
    expect(stage.log.join()).toContain('the app was removed from Slack')
    expect(stage.serving().workspaces()).toEqual([workspace.team])
  },
)

test(
  'one workspace by a token of the environment, others by the page beside it: neither is taken for the other',
  PATIENCE,
  async () => {
    await using stage = await open({ installs: false })
    const { workspace, engines } = stage
    await using other = await workspace.beside({ team: { id: 'T0OTHER', name: 'Other' }, installed: false })
    await stage.stop()
    const { botToken, appToken, apiUrl, clientId, clientSecret } = workspace
    const app = { clientId, clientSecret }
    const serving = await serve(engines, { botToken, app, appToken, apiUrl }, 'all')
    try {
      const beside = { ...stage, serving: () => serving }
      expect((await installIn(beside, other)).text).toContain('Installed in Other')
      await attended(beside, workspace.team, other.team)
      expect(await ask(other, 'in the other')).toContain('in the other')
      expect(await ask(workspace, 'in the one')).toContain('in the one')
      // Installing it where it is served already needs no invitation, and removes nothing.
      const again = await installIn(beside, workspace, { link: `${baseOf(beside)}/slack/install` })
      expect(again.text).toContain('Installed in Demo')
      expect(workspace.tokens()).toHaveLength(1)
    } finally {
      await serving.close(4_000)
    }
  },
)
