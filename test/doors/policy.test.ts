import { expect, test } from 'vitest'
import { policyDoor } from '../../src/doors/policy.ts'
import { runCommand } from '../support/command.ts'
import { makeHome, tryHome } from '../support/home.ts'
import { lockOf } from '../support/lock.ts'

const FILES = {
  'mcp.json': '{"mcpServers": {"bank": {"command": "bank"}}}',
  'policy.yaml': `tools:
  bank__get*: { decision: allow, output: trusted }
  bank__send_money:
    - { decision: allow, when: { amount: 5 EUR }, excuse: literal }
    - { decision: ask, when: { amount: { not: 5 EUR } }, approvers: [UBEN, UCLEO], need: 2, self_approve: false, expires: 2d }
  bank__close: { decision: deny }
channels:
  C1: { tools: { "*": { decision: ask } } }
`,
  'tools.lock.json': lockOf('bank', {
    get_balance: ['account'],
    send_money: ['recipient', 'amount'],
    close: [],
  }),
}

async function policy(args: string[], files: Record<string, string> = FILES) {
  const made = await tryHome(files)
  if (!('home' in made)) throw new Error(made.lines.join('\n'))
  const printed: string[] = []
  const context = { home: () => Promise.resolve(made.home), print: (line: string) => printed.push(line) }
  const code = await policyDoor(args, context)
  return { code, printed }
}

test('explain says the verdict, the terms and every rule that took part', async () => {
  expect(await policy(['explain', 'bank__send_money', '{"recipient": "Ben", "amount": "7"}'])).toEqual({
    code: 0,
    printed: [
      'ask: The policy asks first: "bank__send_money".',
      'effect write, output untrusted',
      'may approve: UBEN or UCLEO, 2 different people, never whoever asked; within 2d',
      'What took part:',
      '  workspace  bank__send_money             decision: ask, approvers: ["UBEN","UCLEO"], need: 2, self_approve: false, expires: 2d, when: {"amount":{"not":"5 EUR"}}',
      '  lock       accepted as                  write',
    ],
  })
  expect(await policy(['explain', 'bank__get_balance'])).toMatchObject({
    code: 0,
    printed: [
      'allow: The policy allows it: "bank__get*".',
      'effect read, output trusted',
      'What took part:',
      expect.stringContaining('bank__get*'),
      expect.stringContaining('accepted as'),
    ],
  })
})

test('explain knows who asks, where, with what the run has read and what was said', async () => {
  const send = (...more: string[]) =>
    policy(['explain', 'bank__send_money', '{"recipient": "Ben Okafor", "amount": "5 EUR"}', ...more])
  const first = async (...more: string[]) => (await send(...more)).printed[0]
  expect(await first()).toMatch(/^allow/)
  expect(await first('--shared')).toMatch(/^deny: People of another organisation can read here/)
  expect(await first('--tainted')).toMatch(/^ask: What I have read/)
  expect(await first('--tainted', '--words', 'Transfer the money: 5 EUR to Ben Okafor')).toMatch(/^allow/)
  expect(await first('--tainted', '--words', 'Transfer the money to Eve')).toMatch(/^ask/)
  expect(await first('--channel', 'C1')).toMatch(/^ask: The policy asks first: "\*"/)
  const denied = await policy([
    'explain',
    'bank__send_money',
    '{"recipient": "Ben", "amount": "7"}',
    '--user',
    'UBEN',
  ])
  expect(denied).toMatchObject({ code: 1 })
  expect(denied.printed[0]).toMatch(/^deny: The rules ask for 2 approvals and let only 1 approve/)
})

test('what would never be called says why: denied, arguments that do not fit, not accepted, unknown', async () => {
  expect(await policy(['explain', 'bank__close'])).toMatchObject({ code: 1 })
  const wrong = await policy(['explain', 'bank__send_money', '{"recipient": 5}'])
  expect(wrong).toMatchObject({ code: 1, printed: [expect.stringMatching(/^invalid: /)] })
  await expect(policy(['explain', 'bank__close', '{'])).rejects.toThrow('not JSON')
  await expect(policy(['explain', 'bank__rob'])).rejects.toThrow('quorum tools accept bank')
  await expect(policy(['explain', 'shop__buy'])).rejects.toThrow(
    'There is no tool shop__buy. Accepted are: bank__',
  )
  const { 'tools.lock.json': _, ...none } = FILES
  await expect(policy(['explain', 'bank__close'], none)).rejects.toThrow('quorum tools accept bank')
})

test('check counts the rules, and says where nothing was accepted', async () => {
  expect(await policy(['check'])).toEqual({ code: 0, printed: ['The policy is right: 5 rules.'] })
  const { 'tools.lock.json': _, ...none } = FILES
  expect((await policy(['check'], none)).printed[1]).toContain('quorum tools accept')
})

test('anything else explains itself', async () => {
  for (const args of [[], ['explain'], ['check', 'x'], ['explain', 'a', '{}', 'b'], ['what']])
    expect(await policy(args)).toMatchObject({ code: 2, printed: [expect.stringContaining('Usage')] })
})

test('on the command line check fails with every problem by file and line', async () => {
  await using good = await makeHome(FILES)
  await using bad = await makeHome({
    ...FILES,
    'policy.yaml':
      'tools:\n  bank__send_mony: { decision: ask }\n  bank__close: { decision: ask, whe: {} }\n',
  })
  expect(
    await runCommand(['policy', 'check'], { cwd: good.dir, env: { QUORUM_HOME: good.dir } }),
  ).toMatchObject({
    code: 0,
    out: expect.stringContaining('5 rules'),
  })
  const { code, err } = await runCommand(['policy', 'check'], { cwd: bad.dir, env: { QUORUM_HOME: bad.dir } })
  expect(code).toBe(1)
  expect(err).toContain('policy.yaml:3: unknown key "whe"; did you mean "when"?')
})
