import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { Env } from '../../src/core/env.ts'

const read = (name: string) => readFile(join(import.meta.dirname, '../..', name), 'utf8')

test('.env.example names every setting, in order, with its default', async () => {
  const example = await read('.env.example')
  const names = [...example.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name)
  expect(names).toEqual(Object.keys(Env.shape))
  expect(Env.parse(parseEnv(example))).toEqual(Env.parse({}))
})

test('the containers are given only settings that exist', async () => {
  const known = [...Object.keys(Env.shape), 'NODE_ENV']
  const dockerfile = await read('Dockerfile')
  const given =
    /^ENV (.+)$/m
      .exec(dockerfile)?.[1]
      ?.split(' ')
      .map((pair) => pair.split('=')[0]) ?? []
  expect(given.length).toBeGreaterThan(0)
  expect(known).toEqual(expect.arrayContaining(given))
  const { services } = parse(await read('compose.yaml'), { merge: true })
  for (const name of ['slack', 'worker']) {
    expect(known).toEqual(expect.arrayContaining(Object.keys(services[name].environment)))
    expect(Env.safeParse({ ...services[name].environment, PORT: '3000' }).success).toBe(true)
  }
})
