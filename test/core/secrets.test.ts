import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Block, chunk } from '../../src/core/chunk.ts'
import { findSecrets, removeSecrets } from '../../src/core/secrets.ts'

/** Made up here, in the form of real ones; put together so that no scanner of repositories stumbles over them. */
const long = (n: number) => 'aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0z'.repeat(8).slice(0, n)
const SECRETS: Record<string, string> = {
  'a key of AWS': `AKIA${'QZ7XK2MWPLV4NTRB'}`,
  'a token of GitHub': `ghp_${long(36)}`,
  'a fine-grained token of GitHub': `github_pat_${long(60)}`,
  'a token of GitLab': `glpat-${long(20)}`,
  'a token of Slack': `xoxb-2048163264-4096819216-${long(24)}`,
  'a key of Anthropic': `sk-ant-api03-${long(90)}`,
  'a key of OpenAI': `sk-proj-${long(80)}`,
  'a key of Stripe': `sk_live_${long(24)}`,
  'a key of Google': `AIza${long(35)}`,
  'a token of npm': `npm_${long(36)}`,
  'a token of Vault': `hvs.${long(40)}`,
  'a web token': `eyJ${long(30)}.eyJ${long(60)}.${long(43)}`,
  'a private key': `-----BEGIN RSA PRIVATE KEY-----\n${long(64)}\n${long(64)}\n-----END RSA PRIVATE KEY-----`,
}
const hidden = (text: string) => {
  let at = 0
  const parts = findSecrets(text).map(({ start, end }) => {
    const before = text.slice(at, start)
    at = end
    return `${before}[…]`
  })
  return parts.join('') + text.slice(at)
}

test.each(Object.entries(SECRETS))('%s is found, and nothing beside it', (_, secret) => {
  expect(hidden(`The old one was ${secret}, now rotated.`)).toBe('The old one was […], now rotated.')
  expect(hidden(`\`${secret}\``)).toBe('`[…]`')
})

test.each([
  ['postgres://app:s3cr3t-of-ours@db.internal:5432/app', 'postgres://app:[…]@db.internal:5432/app'],
  ['redis://:hunter22@cache:6379', 'redis://:[…]@cache:6379'],
  ['DB_PASSWORD=s3cretV4lue', 'DB_PASSWORD=[…]'],
  ['export API_KEY="x9Kd82mPq0Lz71Wv"', 'export API_KEY="[…]"'],
  ['  client_secret: 8f3a9c1e7b2d4f60a5c3e9b1d7f2a4c6', '  client_secret: […]'],
  ['aws_secret_access_key = wJ4lrXUtnF3MI8K7MD2NGbPxRf6CYz1a2B3c4D5e', 'aws_secret_access_key = […]'],
  ['Authorization: Bearer 7fK2mQ9xT4vB8nL1cR6z', 'Authorization: Bearer […]'],
  ['Password: hunter22!', 'Password: […]'],
  ['Password: test!walrus12', 'Password: […]'],
  ['Password: password1234', 'Password: […]'],
  [`the_token-eyJ${long(30)}.eyJ${long(60)}.${long(43)} is old`, 'the_token-[…] is old'],
  [
    `-----BEGIN PRIVATE KEY-----\n…\n-----BEGIN PRIVATE KEY-----\n${long(64)}\n-----END PRIVATE KEY-----`,
    '-----BEGIN PRIVATE KEY-----\n…\n[…]',
  ],
  ['| "api_key": "zX81kQ0pLm47Rt2v",', undefined],
  ['    "api_key": "zX81kQ0pLm47Rt2v",', '    "api_key": "[…]",'],
])('of %j only the secret is taken', (text, expected) => {
  expect(hidden(text)).toBe(expected ?? text)
})

test.each([
  'postgres://user:password@localhost/db',
  'postgres://postgres:postgres@localhost/db',
  'mysql://<user>:<password>@<host>/db',
  'https://example.com:8080/@handle',
  'DB_PASSWORD=$DB_PASSWORD1',
  `DB_PASSWORD=$${'{DB_PASSWORD}'}`,
  'API_KEY=your-api-key-here',
  'API_KEY=my_test--api_key-replace_this_123',
  'DB_PASSWORD=test--test--password12',
  'DB_PASSWORD=yourPassword!123',
  'SLACK_BOT_TOKEN=xoxb-…',
  'password: string',
  'password: required, at least 12 characters',
  'Password: at least 12 characters',
  'token: getToken(user1)',
  'const token = exchangeX509Token',
  'tokenType: v2Response.token_type2',
  'key: sha256-of-the-file',
  'secret: true',
  'The secret of good soup is salt. Basic understanding of tokens suffices.',
  'commit 8f3a9c1e7b2d4f60a5c3e9b1d7f2a4c6e8b0d2f4',
  '550e8400-e29b-41d4-a716-446655440000',
  'a task-oriented sk-learn-like-pipeline-that-is-long',
  '-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----',
  'AKIAIOSFODNN7EXAMPLE',
])('%j holds no secret', (text) => {
  expect(findSecrets(text)).toEqual([])
})

test('what is left keeps its lines, and the blocks stand where they stood', () => {
  const key = SECRETS['a private key'] ?? ''
  const parts = ['# Keys', `The key:\n${key}\nis old.`, 'token: x9Kd82mPq0Lz71Wv', 'the end']
  const text = parts.join('\n\n')
  const blocks = parts.map((part, at): Block => {
    const start = text.indexOf(part)
    const range = { start, end: start + part.length }
    return at === 0 ? { kind: 'heading', depth: 1, text: 'Keys', ...range } : { kind: 'lines', ...range }
  })
  const { document, removed } = removeSecrets({ path: 'a', title: 'Keys', text, blocks })
  expect(removed).toBe(2)
  expect(document.text.split('\n').length).toBe(text.split('\n').length)
  expect(document.blocks.map(({ start, end }) => document.text.slice(start, end))).toEqual([
    '# Keys',
    'The key:\n[secret removed]\n\n\n\nis old.',
    'token: [secret removed]',
    'the end',
  ])
})

test('wherever secrets stand, every passage is exactly of the text, and none holds one', () => {
  const secret = fc.constantFrom(...Object.values(SECRETS))
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.lorem({ maxCount: 8 }) },
    { weight: 1, arbitrary: secret },
  )
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 30 }), (pieces) => {
      const blocks: Block[] = []
      let text = ''
      for (const one of pieces) {
        blocks.push({ kind: 'prose', start: text.length, end: text.length + one.length })
        text += `${one}\n\n`
      }
      const secrets = pieces.filter((one) => Object.values(SECRETS).includes(one))
      const { document, removed } = removeSecrets({ path: 'a', title: 'a', text, blocks })
      expect(removed).toBe(secrets.length)
      for (const one of secrets) expect(document.text).not.toContain(one)
      for (const passage of chunk(document))
        expect(document.text.slice(passage.start, passage.end)).toBe(passage.text)
      const left = document.blocks.map(({ start, end }) => document.text.slice(start, end).trim())
      expect(left).toEqual(pieces.map((one) => (secrets.includes(one) ? '[secret removed]' : one)))
    }),
    { numRuns: 50 },
  )
})

test('looking takes time in step with the text', () => {
  for (const nasty of [
    'a'.repeat(1_000_000),
    '://'.repeat(300_000),
    '=key='.repeat(200_000),
    '-----BEGIN PRIVATE KEY-----'.repeat(40_000),
    `password: ${'x'.repeat(80)}q\n`.repeat(10_000),
    `api_key: ${'x'.repeat(56)}-eu\n`.repeat(10_000),
    `password: ${'test--'.repeat(30)}q\n`.repeat(5_000),
    `password: ${'a'.repeat(190)}q1\n`.repeat(5_000),
    `Bearer ${'A'.repeat(1_900)}1 `.repeat(500),
    `${'-eyJ'.repeat(250_000)}.eyJ`,
    '-eyJaaaaaaaaaa.eyJ'.repeat(50_000),
  ]) {
    const began = performance.now()
    findSecrets(nasty)
    expect(performance.now() - began).toBeLessThan(5_000)
  }
})
