/** A process that takes wake-ups: `node worker.ts URL NAME LOCKMS hang|close`. */
import { openQueue } from '../../src/queue/open.ts'

const [redisUrl, name, lockMs, what] = process.argv.slice(2)
const queue = await openQueue({ redisUrl, name, lockMs: Number(lockMs) })
const handled = new Promise<void>((resolve) => {
  queue.work(
    async ({ id }) => {
      process.stdout.write(`${id}\n`)
      if (what === 'hang') await new Promise(() => {})
      resolve()
    },
    { slots: 2 },
  )
})
await handled
// Nothing may be left that keeps the process.
await queue.close()
