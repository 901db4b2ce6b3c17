/** A process that has an embedded database open: `node embedded-owner.ts DIR ROWS`. */
import { openStore } from '../../src/store/open.ts'

const [dir, rows] = process.argv.slice(2)
const store = await openStore({ dataDir: dir as string })
await store.pool.query('create table if not exists written (n int)')
for (let n = 0; n < Number(rows); n++) await store.pool.query('insert into written values ($1)', [n])
process.stdout.write('ready\n')
setInterval(() => {}, 60_000)
