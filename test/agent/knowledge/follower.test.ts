import { expect, test } from 'vitest'
import { openStand } from '../../support/following.ts'

test('what was said before is read: a thread is a document, and so is a talk', {
  timeout: 60_000,
}, async () => {
  await using stand = await openStand()
  const { workspace, follow, texts } = stand
  const { ana, ben } = workspace.users
  const { ops } = workspace.channels
  const root = await workspace.say(ana, ops, 'The billing deploy hangs at migration 42, who knows why?')
  await workspace.say(ben, ops, 'It waits for the lock of `invoices`; kill the reporting job first.', {
    thread: root,
  })
  await workspace.say(ana, ops, 'Lunch at twelve?')
  await workspace.say(ben, ops, 'Yes.')
  await follow()
  expect(await texts()).toEqual([
    expect.stringMatching(/^Ana, \d{4}-\d\d-\d\d \d\d:\d\d: Lunch at twelve\?\nBen, \d\d:\d\d: Yes\.$/),
    expect.stringMatching(
      /^Ana, .*: The billing deploy hangs .*\nBen, .*: It waits for the lock of `invoices`; kill/,
    ),
  ])
})
