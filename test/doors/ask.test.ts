import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { openWorkspace } from '../../src/demo/workspace/open.ts'
import { runCommand } from '../support/command.ts'
import { openModelServer } from '../support/model-server.ts'
import { makeTemporary } from '../support/temporary.ts'

/** A home with a page for everyone and one for two people, read for a workspace. */
async function openPlace() {
  const place = await makeTemporary()
  const workspace = await openWorkspace()
  const { ana, ben, gil } = workspace.users
  const plan = workspace.createChannel('plan', [ana, ben], { private: true })
  const model = await openModelServer(() => ({ text: 'High water comes at noon [1]. So they say [9].' }))
  const env = {
    LOG_LEVEL: 'warn',
    SLACK_BOT_TOKEN: workspace.botToken,
    SLACK_API_URL: workspace.apiUrl,
    OPENAI_BASE_URL: model.url,
    OPENAI_MODEL: 'test',
  }
  const run = (...args: string[]) => runCommand(args, { cwd: place.dir, env })
  await run('init', 'home')
  await rm(path.join(place.dir, 'home', 'models.yaml'))
  for (const [name, text] of Object.entries({
    all: 'High water comes at noon.',
    few: 'High water was at ten.',
  })) {
    await mkdir(path.join(place.dir, 'home', name))
    await writeFile(path.join(place.dir, 'home', name, 'tide.md'), `# Tides of ${name}\n\n${text}\n`)
  }
  await writeFile(
    path.join(place.dir, 'home', 'sources.yaml'),
    `sources:\n  all: { directory: all, link: "https://h/{path}#{heading}" }\n  few: { directory: few, audience: [${plan}] }\n`,
  )
  await run('ingest')
  return {
    run,
    write: (name: string, text: string) => writeFile(path.join(place.dir, 'home', name), text),
    plan,
    ana,
    gil,
    model,
    async [Symbol.asyncDispose]() {
      await workspace.close()
      await model[Symbol.asyncDispose]()
      await place[Symbol.asyncDispose]()
    },
  }
}

test('a question is answered in the terminal, with what was recalled and cited, for whoever asks', async () => {
  await using place = await openPlace()
  const { out, err, code } = await place.run('ask', 'when is high water?', '--explain')
  expect({ err, code }).toEqual({ err: '', code: 0 })
  expect(out).toMatch(
    /^High water comes at noon \[1\]\. So they say\.\n\nSources\n\[1\] Tides of all · \S+ · https:\/\/h\/tide\.md\n/,
  )
  expect(out).toMatch(/words +meaning +score +passage\n +1 +1 +1 +0\.\d+ +Tides of all/)
  expect(out).toContain('Cited: [1]. Recalled for everyone from 1 sources in')
  expect(JSON.stringify(place.model.requests.at(-1)?.body)).not.toContain('was at ten')

  const json = async (...args: string[]) =>
    JSON.parse((await place.run('ask', 'high water', '--json', ...args)).out)
  const ana = await json('--as', place.ana)
  expect(ana.passages.map((one: { title: string }) => one.title).sort()).toEqual([
    'Tides of all',
    'Tides of few',
  ])
  expect(ana.passages[0]).toMatchObject({ n: 1, cited: true, wordRank: 1, start: expect.any(Number) })
  expect((await json('--channel', place.plan)).passages).toHaveLength(2)
  expect((await json('--as', place.gil)).passages).toEqual([])
  const both = await place.run('ask', 'high water', '--as', place.ana, '--channel', place.plan)
  expect(both).toMatchObject({ code: 2, out: expect.stringContaining('[--channel C0123 | --as U0123]') })
  const pools = `pools: { main: { model: test, replicas: ["${place.model.url}"] } }\n`
  await place.write('models.yaml', `${pools}rerank: { model: order, url: "http://127.0.0.1:9" }\n`)
  const ordered = await place.run('ask', 'high water', '--channel', place.plan)
  expect(ordered).toMatchObject({ err: '', code: 0, out: expect.stringContaining('not reranked') })
  expect(await place.run('ask')).toMatchObject({ code: 2, out: expect.stringContaining('Usage: quorum ask') })
}, 300_000)
