import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

const until = new URL('../../src/doors/until.ts', import.meta.url).href

/** Runs a script that may use what ends a process, and gives its exit code, signal and output. */
async function run(script: string, ask?: NodeJS.Signals) {
  const code = `import { endBy, untilAsked } from ${JSON.stringify(until)}\n${script}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
    if (ask && text.includes('ready')) child.kill(ask)
  })
  return new Promise((resolve) => child.once('close', (exit, signal) => resolve({ exit, signal, out })))
}

const stays = `setInterval(() => {}, 1_000); console.log('ready')`

test('a process that does not end in its time is ended, and says what is open', async () => {
  const script = `endBy(50, (open) => console.log(open.join())); setInterval(() => {}, 1_000)`
  expect(await run(script)).toMatchObject({ exit: 1, out: expect.stringContaining('Timeout') })
})

test('one that has nothing left to do does not wait for that', async () => {
  expect(await run(`endBy(600_000, () => {})`)).toEqual({ exit: 0, signal: null, out: '' })
})

test('who is asked to end is told so, and ends by itself', async () => {
  const script = `untilAsked().then((signal) => { console.log(signal); process.exit(0) }); ${stays}`
  expect(await run(script, 'SIGTERM')).toMatchObject({ exit: 0, out: 'ready\nSIGTERM\n' })
})
