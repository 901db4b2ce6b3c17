// An embedding thread that dies on command: over `poison` always, over `fall once` the first time in this process.
// Its vectors are the text's length and the thread's number; `wait` and `who?` take a while.
import { existsSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { parentPort, threadId } from 'node:worker_threads'

parentPort.postMessage({ ready: 2, runtime: 'a test', spare: false })
parentPort.on('message', async (text) => {
  if (text === 'poison') process.exit(3)
  const [once, mark] = text.split('|')
  if (once === 'fall once' && !existsSync(mark)) {
    writeFileSync(mark, '')
    process.exit(4)
  }
  if (/^w/.test(text)) await pause(20)
  parentPort.postMessage({ vector: [text.length, threadId] })
})
