import { expect, test } from 'vitest'
import { tryHome } from '../support/home.ts'
import { lockOf } from '../support/lock.ts'

const LOCK = lockOf('post', { send_letter: ['recipient', 'text'], get_letters: ['sender'], 'a.b': ['x'] })
const MCP = '{"mcpServers": {"post": {"command": "post"}}}'

/** What is wrong with a policy, beside the tools that were accepted. */
async function wrongWith(policy: string, lock: string | undefined = LOCK): Promise<string[]> {
  const files = { 'mcp.json': MCP, 'policy.yaml': policy, ...(lock ? { 'tools.lock.json': lock } : {}) }
  const made = await tryHome(files)
  return 'lines' in made ? made.lines.map((line) => line.trim()) : []
}

test('a rule must match a tool that was accepted, by its whole or its shown name', async () => {
  expect(await wrongWith('tools:\n  "*": { decision: ask }\n  post__send*: { decision: ask }\n')).toEqual([])
  expect(await wrongWith('tools:\n  post__a.b: { decision: ask }\n  post__a_b: { decision: ask }\n')).toEqual(
    [],
  )
  expect(
    await wrongWith('tools:\n  "*": { decision: ask }\n  post__send_leter: { decision: deny }\n'),
  ).toEqual([
    'policy.yaml:3: "post__send_leter" matches no tool that was accepted; did you mean "post__send_letter"?; `quorum tools list` shows them',
  ])
  expect(await wrongWith('channels:\n  C1:\n    tools:\n      post__burn*: { decision: deny }\n')).toEqual([
    expect.stringMatching(/^policy\.yaml:4: "post__burn\*" matches no tool that was accepted/),
  ])
  expect(await wrongWith('tools:\n  post__send_leter: { decision: deny }\n', '')).toEqual([])
})

test('conditions and excuses must speak of arguments that a matched tool has', async () => {
  const rule = (rest: string, pattern = 'post__send_letter') =>
    wrongWith(`tools:\n  ${pattern}: { decision: allow, ${rest} }\n`)
  expect(await rule('when: { recipient: Ben, text: { like: "Dear*" } }, excuse: [recipient]')).toEqual([])
  expect(await rule('when: { text.inner: x }')).toEqual([])
  expect(await rule('when: { recipent: Ben }')).toEqual([
    'policy.yaml:2: no tool it matches has an argument "recipent"; did you mean "recipient"?',
  ])
  expect(await rule('excuse: [sender]')).toEqual([
    expect.stringContaining('no tool it matches has an argument "sender"'),
  ])
  expect(await rule('excuse: [sender]', '"post__*"')).toEqual([])
})

test('approvers must be able to satisfy the rule', async () => {
  const rule = (rest: string) => wrongWith(`tools:\n  "*": { decision: ask, ${rest} }\n`)
  expect(await rule('approvers: [requester, UBEN], need: 2, self_approve: true')).toEqual([])
  expect(await rule('approvers: [STEAM], need: 3, self_approve: false')).toEqual([])
  expect(await rule('approvers: [UBEN, UBEN], need: 2')).toEqual([
    'policy.yaml:2: it needs 2 approvals and names 1 who may approve',
  ])
  expect(await rule('approvers: [requester], self_approve: false')).toEqual([
    'policy.yaml:2: only the requester may approve, and "self_approve" says they may not',
  ])
  expect(await rule('approvers: [requester, UBEN], need: 2, self_approve: false')).toEqual([
    'policy.yaml:2: it needs 2 approvals and names 1 who may approve beside the requester, who may not',
  ])
})

test('a layer must be of an agent that is there', async () => {
  const layer = (name: string) => wrongWith(`agents:\n  ${name}: { tools: { "*": { decision: ask } } }\n`)
  expect(await layer('quorum')).toEqual([])
  expect(await layer('quorom')).toEqual(['policy.yaml:2: there is no agent "quorom"; did you mean "quorum"?'])
})
