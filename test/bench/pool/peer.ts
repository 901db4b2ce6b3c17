/** Portkey's gateway, a program of its own in front of a model server, installed for the time of the benchmark. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeTemporary } from '../../support/temporary.ts'

const VERSION = '1.15.2'
/** With newer ones the gateway cannot stream: it changes headers that may not be changed. */
const PINNED = { '@hono/node-server': '1.3.3' }
const INSTALL_MS = 180_000

export type Peer = AsyncDisposable & {
  name: string
  url: string
  headers(url: string): Record<string, string>
}

/** Installs and starts it, or says in one sentence why it cannot be had here. */
export async function openPeer(): Promise<Peer | { why: string }> {
  const temporary = await makeTemporary()
  const end = () => temporary[Symbol.asyncDispose]()
  try {
    const manifest = { private: true, dependencies: { '@portkey-ai/gateway': VERSION }, overrides: PINNED }
    await writeFile(path.join(temporary.dir, 'package.json'), JSON.stringify(manifest))
    const installed = spawn('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], {
      cwd: temporary.dir,
      stdio: 'ignore',
      timeout: INSTALL_MS,
    })
    const [code] = await once(installed, 'exit')
    if (code !== 0) throw new Error(`npm install ended with ${code}`)
    const port = await freePort()
    const script = path.join(temporary.dir, 'node_modules/@portkey-ai/gateway/build/start-server.js')
    const gateway = spawn(process.execPath, [script, `--port=${port}`, '--headless'], { stdio: 'ignore' })
    const url = `http://127.0.0.1:${port}/v1`
    await untilItListens(url)
    return {
      name: `@portkey-ai/gateway ${VERSION}`,
      url,
      headers: (target) => ({ 'x-portkey-provider': 'openai', 'x-portkey-custom-host': target }),
      async [Symbol.asyncDispose]() {
        const ended = once(gateway, 'exit')
        gateway.kill('SIGKILL')
        await ended
        await end()
      },
    }
  } catch (error) {
    await end()
    return {
      why: `@portkey-ai/gateway ${VERSION} could not be run here: ${error instanceof Error ? error.message : error}`,
    }
  }
}

async function untilItListens(url: string): Promise<void> {
  for (let i = 0; i < 150; i += 1) {
    if (await fetch(new URL('/', url)).catch(() => undefined)) return
    await sleep(200)
  }
  throw new Error('it does not listen')
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
