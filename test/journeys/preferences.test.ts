import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openStage, type Stage, until } from '../support/stage.ts'

describe('what a person likes holds for what they ask from then on', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await openStage({ model: { text: 'Zwölf Meter.' }, admins: ['U0CHLOE'] })
  })
  afterAll(() => stage[Symbol.asyncDispose]())

  /** Opens Home as it is now, as one text. */
  async function home(user: string): Promise<string> {
    const { workspace } = stage
    const old = workspace.home(user)?.hash
    await workspace.openHome(user)
    const view = await workspace.until(() => {
      const now = workspace.home(user)
      return now && now.hash !== old ? now : undefined
    })
    return JSON.stringify(view.blocks)
  }

  async function choose(user: string, trace: string, language: string): Promise<void> {
    const { workspace } = stage
    await home(user)
    const before = workspace.home(user)
    await workspace.clickView(user, before?.id ?? '', 'preferences')
    const view = await workspace.until(() =>
      workspace.views(user).find((one) => one.callback_id === 'preferences'),
    )
    await workspace.submit(user, view.id, { trace: { value: trace }, language: { value: language } })
    await workspace.until(() => workspace.home(user)?.hash !== before?.hash)
  }

  /** What stands of ours in the thread in the end, and what the model was asked. */
  async function ask(user: string): Promise<{ texts: string[]; prompt: string }> {
    const { workspace, model } = stage
    const channel = workspace.channels.general
    const ts = await workspace.say(user, channel, '@quorum how high is the mast?')
    await stage.ended(channel, ts)
    return { texts: stage.said(channel, ts), prompt: JSON.stringify(model.requests.at(-1)?.body.messages) }
  }

  test('the language of answers is told to the model, for this person alone, and taken back', async () => {
    const { ana, ben } = stage.workspace.users
    await choose(ana, 'plan', 'de')
    expect(await home(ana)).toContain('I answer you in German')
    expect((await ask(ana)).prompt).toContain(
      'Answer in German, unless the message asks for another language.',
    )
    expect((await ask(ben)).prompt).not.toContain('Answer in')
    await choose(ana, 'plan', 'same')
    expect((await ask(ana)).prompt).not.toContain('Answer in')
  })

  test('as much of the work is shown as they want: every step, one line, nothing', async () => {
    const { ana } = stage.workspace.users
    const said = async () => (await ask(ana)).texts
    expect(await said()).toEqual([expect.stringMatching(/^Done/), expect.stringContaining('Meter')])
    await choose(ana, 'line', 'same')
    expect(await said()).toEqual([expect.stringMatching(/^Done/), expect.stringContaining('Meter')])
    await choose(ana, 'none', 'same')
    expect(await said()).toEqual([expect.stringContaining('Meter')])
  })

  test('Home tells admins what was spent and who waits, and nobody else', async () => {
    const { ana, chloe } = stage.workspace.users
    expect(await home(ana)).not.toContain('For admins')
    const told = await until(async () => {
      const now = await home(chloe)
      return now.includes('For admins') ? now : undefined
    })
    expect(told).toMatch(/Spent today: [1-9][\d,]* tokens? in [1-9]\d* calls? of models\. In 30 days/)
    expect(told).toMatch(/at work in 8 slots; nobody waits/)
  })
})
