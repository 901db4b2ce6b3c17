/** What stands in the menu of every message: "Ask about this" and "Show trace". */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openStage, type Stage } from '../support/stage.ts'

let stage: Stage
beforeAll(async () => {
  stage = await openStage({ model: { text: 'It means low tide.' } })
})
afterAll(() => stage[Symbol.asyncDispose]())
beforeEach(() => stage.model.follow(() => ({ text: 'It means low tide.' })))

const prompt = () =>
  (stage.model.requests.at(-1)?.body.messages ?? [])
    .filter((message) => message.role === 'user')
    .map((message) => message.content)
    .join('\n')

/** Uses a shortcut and gives the modal it opens. */
async function open(user: string, shortcut: string, channel: string, ts: string) {
  const { workspace } = stage
  const before = workspace.views(user).at(-1)?.id
  await workspace.shortcut(user, shortcut, channel, ts)
  return workspace.until(() =>
    workspace
      .views(user)
      .filter((view) => view.id !== before)
      .at(-1),
  )
}

async function ask(user: string, channel: string, ts: string, question: string, where?: string) {
  const view = await open(user, 'ask_about', channel, ts)
  await stage.workspace.submit(user, view.id, {
    question: { value: question },
    ...(where ? { where: { value: where } } : {}),
  })
  return view
}

describe('"Ask about this"', () => {
  test('is answered in the thread of the message, for everyone, and knows which message is meant', async () => {
    const { workspace } = stage
    const { ops } = workspace.channels
    const { ana, ben } = workspace.users
    const root = await workspace.say(ben, ops, 'Numbers of the gauge')
    const reply = await workspace.say(ben, ops, 'LW 0.3 at 06:12', { thread: root })
    const view = await ask(ana, ops, reply, 'What does LW mean?', 'thread')
    expect(JSON.stringify(view.blocks)).toContain('LW 0.3 at 06:12')
    await stage.ended(ops, root)
    const said = stage.said(ops, root)
    expect(said[0]).toMatch(/Ana asks about a message of Ben:\s+(> )?LW 0\.3 at 06:12\s+What does LW mean\?/)
    expect(said.at(-1)).toContain('It means low tide.')
    expect(prompt()).toContain('<quoted by="U0BEN">\nLW 0.3 at 06:12\n</quoted>')
    expect(prompt()).toContain('Numbers of the gauge')
    expect(prompt()).toContain('<message from="U0ANA">\nWhat does LW mean?')
    expect(workspace.messages(workspace.dm(ana))).toEqual([])
  })

  test('is answered to whoever asked alone where they wish it, with the thread at hand', async () => {
    const { workspace } = stage
    const { general } = workspace.channels
    const { chloe, ben } = workspace.users
    const root = await workspace.say(ben, general, 'Shall we paint the boat?')
    const reply = await workspace.say(ben, general, 'Red, I think.', { thread: root })
    await ask(chloe, general, reply, 'Is that a good idea?', 'direct')
    const dm = workspace.dm(chloe)
    const question = await workspace.until(() => workspace.messages(dm).at(0))
    await stage.ended(dm, question.ts)
    expect(question.text).toContain('You ask about a message of Ben')
    expect(JSON.stringify(question.blocks)).toContain(`/archives/${general}/p${reply.replace('.', '')}`)
    expect(stage.said(dm, question.ts).at(-1)).toContain('It means low tide.')
    expect(prompt()).toContain('Shall we paint the boat?')
    expect(prompt()).toContain('Red, I think.')
    expect(stage.said(general, root)).toEqual([])
  })

  test('of a message where the agent is not goes to the direct messages, with that message alone', async () => {
    const { workspace } = stage
    const { random } = workspace.channels
    const { ana, ben } = workspace.users
    const files = [{ name: 'cake.txt', content: 'Two eggs.' }]
    const root = await workspace.say(ben, random, 'Cake in the galley', { files })
    const view = await ask(ana, random, root, 'What kind?')
    expect(JSON.stringify(view.blocks)).toContain('I am not in this conversation')
    const dm = workspace.dm(ana)
    const question = await workspace.until(() => workspace.messages(dm).at(0))
    await stage.ended(dm, question.ts)
    expect(prompt()).toContain('Cake in the galley')
    expect(prompt()).not.toContain('Two eggs')
    expect(stage.said(dm, question.ts).at(-1)).toContain('could not read `cake.txt`')
  })

  test('is answered directly where the thread cannot be written to any more', async () => {
    const { workspace } = stage
    const { ben, chloe } = workspace.users
    const channel = workspace.createChannel('attic', [ben, chloe])
    const root = await workspace.say(ben, channel, 'Old stuff')
    const view = await open(ben, 'ask_about', channel, root)
    await workspace.leave(workspace.botUser, channel)
    const dm = workspace.dm(ben)
    await workspace.submit(ben, view.id, { question: { value: 'What?' }, where: { value: 'thread' } })
    const question = await workspace.until(() => workspace.messages(dm).at(0))
    await stage.ended(dm, question.ts)
    expect(stage.said(dm, question.ts).at(-1)).toContain('It means low tide.')
  })

  test('and a question that quotes tell the model no secret that stands in what is asked about', async () => {
    const { workspace } = stage
    const { general } = workspace.channels
    const { ana, ben } = workspace.users
    const secret = 'AKIAIOSFODNN7EXAMPL2'
    const root = await workspace.say(ben, general, `The key is ${secret}, keep it`)
    const view = await ask(ana, general, root, 'What is it for?', 'thread')
    await stage.ended(general, root)
    expect(prompt()).toContain('The key is')
    const attachments = [{ author_name: 'Ben', text: `The key of the shed is ${secret}`, fallback: 'x' }]
    const ts = await workspace.say(ana, general, '@quorum and this?', { attachments })
    await stage.ended(general, ts)
    expect(prompt()).toContain('> The key of the shed is')
    expect(JSON.stringify([view, stage.model.requests.map(({ body }) => body)])).not.toContain(secret)
    const kept = await stage.engines.store.pool.query(
      'select heard from inbox union all select body from steps',
    )
    expect(JSON.stringify(kept.rows)).not.toContain(secret)
  })

  test('of a long message keeps within what a modal may hold', async () => {
    const { workspace } = stage
    const { general } = workspace.channels
    const { ana, ben } = workspace.users
    const long = '"quoted" \\ and <b> & '.repeat(400)
    const root = await workspace.say(ben, general, long)
    const view = await ask(ana, general, root, 'So?', 'thread')
    expect(view.private_metadata.length).toBeLessThanOrEqual(3_000)
    await stage.ended(general, root)
    expect(prompt()).toContain('<quoted by="U0BEN">\n"quoted"')
  })
})

describe('"Show trace"', () => {
  test('shows the run a message belongs to: question, answer, or any other of its thread', async () => {
    const { workspace } = stage
    const { general } = workspace.channels
    const { ana, ben } = workspace.users
    const root = await workspace.say(ben, general, 'A thread of two runs')
    const first = await workspace.say(ana, general, '@quorum the first question?', { thread: root })
    await stage.ended(general, root)
    const second = await workspace.say(ana, general, 'the second question?', { thread: root })
    await stage.ended(general, root, 2)
    const answers = workspace.messages(general, root).filter((one) => one.text.includes('low tide'))
    const shown = async (ts: string) => JSON.stringify((await open(ben, 'show_trace', general, ts)).blocks)
    expect(await shown(first)).toContain('the first question?')
    expect(await shown(second)).toContain('the second question?')
    expect(await shown(answers[0]?.ts ?? '')).toContain('the first question?')
    expect(await shown(answers[1]?.ts ?? '')).toContain('the second question?')
    expect(await shown(root)).toContain('the second question?')
  })

  test('says so where there is none, to whoever asked alone, also where the agent is not', async () => {
    const { workspace } = stage
    const { random, general } = workspace.channels
    const { ben } = workspace.users
    for (const channel of [random, general]) {
      const ts = await workspace.say(ben, channel, 'Just talk')
      const before = workspace.ephemerals(ben).length
      await workspace.shortcut(ben, 'show_trace', channel, ts)
      await workspace.until(() => workspace.ephemerals(ben).length > before)
      expect(workspace.ephemerals(ben).at(-1)?.text).toContain('I did nothing in this thread')
    }
  })
})
