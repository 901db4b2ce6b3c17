/**
 * A process that spends until it is killed: `node spender.ts URL WORKSPACE ALLOWED CALLERS HOLDMS [SKEWMS]`. With a skew
 * its clock is wrong.
 */
import { openLedger } from '../../../src/store/ledger.ts'
import { openStore } from '../../../src/store/open.ts'
import { limitsOf, spendAtOnce } from '../spending.ts'

const [url, workspace = '', allowed, callers, holdMs, skewMs = '0'] = process.argv.slice(2)
const now = Date.now.bind(Date)
Date.now = () => now() + Number(skewMs)

const store = await openStore({ databaseUrl: url, dataDir: '', connections: 4 })
const ledger = openLedger(store.pool, { aliveMs: 2_000, patienceMs: 60_000 })
process.stdout.write('ready\n')
const drive = {
  workspace,
  limits: limitsOf(Number(allowed)),
  callers: Number(callers),
  holdMs: Number(holdMs),
}
const { pairs, tokens } = await spendAtOnce(ledger, { ...drive, ms: 600_000 })
process.stdout.write(`${JSON.stringify({ pairs, tokens })}\n`)
await ledger.close()
await store.close()
