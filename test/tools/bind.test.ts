import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ToolServer } from '../../src/core/home.ts'
import { PolicyFile } from '../../src/core/rules.ts'
import { catalogueName } from '../../src/tools/accept.ts'
import { callHash, definitionHash, policyHash, serverHash } from '../../src/tools/bind.ts'

const bound = {
  run: 'run',
  call: 'call',
  serverHash: 's',
  definitionHash: 'd',
  tool: 'files__write',
  args: { path: 'a', content: ['b', 1] } as unknown,
  policyHash: 'p',
}

test('equal calls have equal hashes, whatever the order of members', () => {
  expect(callHash(bound)).toMatch(/^[0-9a-f]{64}$/)
  expect(callHash({ ...bound, args: { content: ['b', 1], path: 'a' } })).toBe(callHash(bound))
})

test('changing any one thing changes the hash', () => {
  const all = new Set([callHash(bound)])
  for (const key of Object.keys(bound)) all.add(callHash({ ...bound, [key]: 'other' }))
  all.add(callHash({ ...bound, args: { path: 'a', content: ['b', '1'] } }))
  all.add(callHash({ ...bound, args: { path: 'a', content: [1, 'b'] } }))
  expect(all.size).toBe(10)
})

test('text cannot move from one field into the next', () => {
  fc.assert(
    fc.property(fc.string(), fc.string({ minLength: 1 }), fc.string(), (a, b, c) => {
      const one = callHash({ ...bound, run: a + b, call: c })
      expect(callHash({ ...bound, run: a, call: b + c })).not.toBe(one)
    }),
  )
})

test('a definition is more than its name: a changed hint or schema is another tool', () => {
  const tool = {
    name: 'a',
    description: 'd',
    inputSchema: { type: 'object' },
    annotations: { readOnlyHint: true },
  }
  const hash = definitionHash(tool)
  expect(definitionHash({ ...tool, annotations: { readOnlyHint: false } })).not.toBe(hash)
  expect(definitionHash({ ...tool, description: 'e' })).not.toBe(hash)
  expect(definitionHash({ ...tool, inputSchema: {} })).not.toBe(hash)
  expect(definitionHash({ ...tool, outputSchema: {} })).not.toBe(hash)
})

test('servers and policies', () => {
  const one = ToolServer.parse({ command: 'node', args: ['a'], env: { KEY: `\${KEY}` } })
  const two = ToolServer.parse({ command: 'node', args: ['b'], env: { KEY: `\${KEY}` } })
  expect(serverHash('a', one)).not.toBe(serverHash('a', two))
  expect(serverHash('a', one)).not.toBe(serverHash('b', one))
  const policy = PolicyFile.parse({ tools: { '*': { decision: 'ask' } } })
  expect(policyHash(policy)).not.toBe(policyHash(PolicyFile.parse({})))
})

test('names stay apart and within 64 characters', () => {
  const part = fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/)
  fc.assert(
    fc.property(part, part, (a, b) => {
      const [one, two] = [catalogueName('server', a), catalogueName('server', b)]
      expect(one).toMatch(/^server__[A-Za-z0-9_-]{1,56}$/)
      expect(one === two).toBe(a === b)
    }),
  )
})
