// An embedding thread that dies on command: over `poison` always, over `fall once` the first time in this process.
import { existsSync, writeFileSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'

parentPort.postMessage({ ready: 2 })
parentPort.on('message', (text) => {
  if (text === 'poison') process.exit(3)
  const [once, mark] = text.split('|')
  if (once === 'fall once' && !existsSync(mark)) {
    writeFileSync(mark, '')
    process.exit(4)
  }
  parentPort.postMessage({ vector: [text.length, 1] })
})
