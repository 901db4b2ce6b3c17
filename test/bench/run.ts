/** `npm run bench -- NAME [flags]`: runs test/bench/NAME.ts; `--json` prints one line of JSON, else a table. */
import { readdirSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** What a benchmark found. Every benchmark exports `run(flags)`, which answers this. */
export type Report = { json: object; table: string }

const dir = fileURLToPath(new URL('.', import.meta.url))
const names = readdirSync(dir)
  .filter((file) => /^[a-z-]+\.ts$/.test(file) && file !== 'run.ts')
  .map((file) => file.slice(0, -'.ts'.length))

const [name, ...flags] = process.argv.slice(2)
if (name !== undefined && names.includes(name)) {
  const asJson = flags.includes('--json')
  const { run } = (await import(pathToFileURL(`${dir}${name}.ts`).href)) as {
    run(flags: string[]): Promise<Report>
  }
  const report = await run(flags.filter((flag) => flag !== '--json'))
  process.stdout.write(asJson ? `${JSON.stringify(report.json)}\n` : `${report.table}\n`)
} else {
  process.stderr.write(`npm run bench -- NAME [--json]\nThe benchmarks: ${names.join(', ')}\n`)
  process.exitCode = 2
}
