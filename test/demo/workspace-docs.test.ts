import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import path from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { listenForComplaints, openBrowser } from '../support/browser.ts'
import { makeTemporary } from '../support/temporary.ts'

const PAGE = `---
title: Tides
updated: 2026-03-01
---

# Tides

See [the log](logs/may.md#high-water), [here](#low-water), [outside](https://example.org/), [bad](javascript:alert).

## High water
<script>document.title = 'HTML ran'</script>

## Low water

## Low water
`

let temporary: Awaited<ReturnType<typeof makeTemporary>>
let workspace: Workspace
beforeEach(async () => {
  temporary = await makeTemporary()
  const docs = path.join(temporary.dir, 'docs')
  await mkdir(path.join(docs, 'logs'), { recursive: true })
  await writeFile(path.join(docs, 'README.md'), '# Start\n')
  await writeFile(path.join(docs, 'tides.md'), PAGE)
  await writeFile(
    path.join(docs, 'logs', 'may.md'),
    '# May\n\n## High water\n\nBack to [tides](../tides.md).\n',
  )
  await writeFile(path.join(docs, 'notes.txt'), 'not a page')
  await writeFile(path.join(temporary.dir, 'secret.md'), 'secret')
  await symlink(path.join(temporary.dir, 'secret.md'), path.join(docs, 'way-out.md'))
  workspace = await openWorkspace({ docs })
})
afterEach(async () => {
  await workspace.close()
  await temporary[Symbol.asyncDispose]()
})

/** The status of a path that is sent as it stands: `fetch` would take the dots out. */
function statusOf(at: string): Promise<number | undefined> {
  const { port } = new URL(workspace.url)
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path: at, headers: { host: `127.0.0.1:${port}` } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .once('error', reject)
      .end()
  })
}

describe('documents', () => {
  test('are served as they are written, and only from their directory', async () => {
    expect(await (await fetch(`${workspace.url}/docs/tides.md?raw`)).text()).toBe(PAGE)
    expect((await fetch(`${workspace.url}/docs`)).url).toBe(`${workspace.url}/docs/README.md`)
    expect(await statusOf('/docs/tides.md')).toBe(200)
    for (const at of [
      '/docs/nothing.md',
      '/docs/notes.txt',
      '/docs/logs',
      '/docs/way-out.md?raw',
      '/docs/../secret.md?raw',
      '/docs/%2e%2e/secret.md?raw',
      '/docs/..%2fsecret.md?raw',
      '/docs/logs/..%2f..%2fsecret.md?raw',
      `/docs/${encodeURIComponent(path.join(temporary.dir, 'secret.md'))}?raw`,
      '/docs/tides.md%00.md?raw',
    ]) {
      expect(await statusOf(at), at).toBe(404)
    }
  })

  test('are not there where no directory is given', async () => {
    await using bare = await openWorkspace()
    expect((await fetch(`${bare.url}/docs/README.md`)).status).toBe(404)
    expect((await fetch(`${bare.url}/docs`)).status).toBe(404)
  })
})

const browser = await openBrowser()
afterAll(() => browser?.close())

test.skipIf(!browser)('a page is readable, and its links lead on', async () => {
  const page = await (browser as Browser).newPage({ colorScheme: 'dark' })
  page.setDefaultTimeout(8_000)
  const complaints: string[] = []
  listenForComplaints(page, complaints)
  await page.goto(`${workspace.url}/docs/tides.md`)
  await page.getByRole('heading', { name: 'Tides', level: 1 }).waitFor()
  await page.getByText('Updated 2026-03-01').waitFor()
  expect(await page.title()).toBe('Tides · handbook')
  await page.getByText("document.title = 'HTML ran'").waitFor()
  const ids = await page.getByRole('heading', { level: 2 }).evaluateAll((all) => all.map(({ id }) => id))
  expect(ids).toEqual(['high-water', 'low-water', 'low-water-1'])
  expect(await page.getByRole('link').allInnerTexts()).toEqual(['Handbook', 'the log', 'here', 'outside'])
  await page.getByRole('link', { name: 'here' }).click()
  expect(new URL(page.url()).hash).toBe('#low-water')
  await page.getByRole('link', { name: 'the log' }).click()
  await page.getByRole('heading', { name: 'May' }).waitFor()
  await page.waitForFunction(`document.querySelector('#high-water:target')`)
  await page.getByRole('link', { name: 'tides' }).click()
  await page.getByRole('heading', { name: 'Tides', level: 1 }).waitFor()
  const paper = await page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
  expect(paper).toBe('rgb(21, 25, 26)')
  await page.getByRole('link', { name: 'Handbook' }).click()
  await page.getByRole('heading', { name: 'Start' }).waitFor()
  expect(complaints).toEqual([])
  await page.close()
})
