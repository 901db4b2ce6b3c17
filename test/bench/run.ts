/**
 * `npm run bench -- NAME [flags]`: runs test/bench/NAME.ts. `--json` prints one line of JSON, else a table;
 * `--readme` also puts the table into the README, between the marks of that name.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'

/**
 * What a benchmark found. Every benchmark exports `run(flags)`, which answers this. `mark` names the place of the table
 * in the README where it is not the benchmark's name.
 */
export type Report = { json: object; table: string; mark?: string }

const OURS = ['--json', '--readme']
const dir = fileURLToPath(new URL('.', import.meta.url))
const names = readdirSync(dir)
  .filter((file) => /^[a-z-]+\.ts$/.test(file) && file !== 'run.ts')
  .map((file) => file.slice(0, -'.ts'.length))

const [name, ...flags] = process.argv.slice(2)
if (name !== undefined && names.includes(name)) {
  const { run } = (await import(pathToFileURL(`${dir}${name}.ts`).href)) as {
    run(flags: string[]): Promise<Report>
  }
  const report = await run(flags.filter((flag) => !OURS.includes(flag)))
  process.stdout.write(flags.includes('--json') ? `${JSON.stringify(report.json)}\n` : `${report.table}\n`)
  if (flags.includes('--readme')) putIntoReadme(report.mark ?? name, report.table)
} else {
  process.stderr.write(`npm run bench -- NAME [--json] [--readme]\nThe benchmarks: ${names.join(', ')}\n`)
  process.exitCode = 2
}

function putIntoReadme(mark: string, table: string): void {
  const readme = new URL('../../README.md', import.meta.url)
  const marked = new RegExp(`(<!-- figures: ${mark} -->\\n)[\\s\\S]*?(<!-- end -->)`)
  const text = readFileSync(readme, 'utf8')
  if (!marked.test(text)) throw new Error(`The README has no place for the figures of ${mark}`)
  writeFileSync(
    readme,
    text.replace(marked, (_, open, close) => `${open}${table}\n${close}`),
  )
}
