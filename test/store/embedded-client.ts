/** A process of its own that uses a database: `node embedded-client.ts URL count|hang NUMBER`. */
import pg from 'pg'
import { inTransaction } from '../../src/store/transaction.ts'

const [url, what, number] = process.argv.slice(2)
const pool = new pg.Pool({ connectionString: url as string, max: 2 })

/** Reads, does something else, writes what it read plus one: right only if no other transaction runs between. */
async function countOnce(turn: number) {
  const word = `${process.pid} ${turn}`
  await inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ n: number }>('select n from counter where id = $1', [1])
    const echo = await tx.query<{ word: string }>('select $1::text as word', [word])
    if (echo.rows[0]?.word !== word) throw new Error(`asked for ${word}, got ${echo.rows[0]?.word}`)
    await tx.query('update counter set n = $1 where id = $2', [(rows[0]?.n ?? 0) + 1, 1])
    await tx.query('insert into counted (word) values ($1)', [word])
  })
  const { rows } = await pool.query<{ word: string }>('select word from counted where word = $1', [word])
  if (rows[0]?.word !== word) throw new Error(`${word} is not there after its commit`)
}

if (what === 'count') {
  const turns = Array.from({ length: Number(number) }, (_, at) => at)
  for (let at = 0; at < turns.length; at += 2) await Promise.all(turns.slice(at, at + 2).map(countOnce))
  await pool.end()
} else {
  await inTransaction(pool, async (tx) => {
    await tx.query('update counter set n = n + $1 where id = 1', [Number(number)])
    process.stdout.write('open\n')
    await new Promise((resolve) => setTimeout(resolve, 600_000))
  })
}
