/** Replicas as processes that can be killed and come back at the same address. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ReplicaOptions } from './replica.ts'

export type Replicas = AsyncDisposable & {
  urls: string[]
  /** Ends one at once, with whatever it is doing. */
  kill(n: number): Promise<void>
  revive(n: number): Promise<void>
}

const SCRIPT = fileURLToPath(new URL('replica.ts', import.meta.url))

export async function openReplicas(count: number, options: ReplicaOptions): Promise<Replicas> {
  const alive: ChildProcess[] = []
  const start = async (n: number, port: number): Promise<string> => {
    const child = spawn(process.execPath, [SCRIPT, JSON.stringify({ ...options, port })], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    alive[n] = child
    child.stdout.setEncoding('utf8')
    for await (const line of child.stdout) return String(line).trim()
    throw new Error('a replica ended before it began')
  }
  const kill = async (n: number) => {
    const child = alive[n]
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }
  const urls = await Promise.all(Array.from({ length: count }, (_, n) => start(n, 0)))
  return {
    urls,
    kill,
    async revive(n) {
      await start(n, Number(new URL(urls[n] ?? '').port))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(alive.map((_, n) => kill(n)))
    },
  }
}
