/** Pages of a handbook that nobody wrote: Markdown with headings, paragraphs, lists, code and tables, by a seed. */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { openRandom, type Random } from '../../support/random.ts'

const THINGS =
  'database queue deploy pager certificate replica cluster region backup invoice refund customer account laptop office contract release branch review incident alert dashboard budget holiday expense ticket schema migration cache token password gateway network disk volume index shard broker topic consumer service'.split(
    ' ',
  )
const PEOPLE =
  'the on-call engineer,the duty manager,the platform team,finance,the incident lead,a reviewer,support,the owner,security,everybody'.split(
    ',',
  )
const DOINGS =
  'checks,restarts,rotates,announces,approves,documents,rolls back,fails over,restores,escalates,archives,measures,renews,splits,drains,replays'.split(
    ',',
  )
const WHEN =
  'before noon,within ten minutes,every Friday,after the freeze,when the alert fires twice,during the night,before a release,once a quarter,as soon as it is safe,at the end of the month'.split(
    ',',
  )
const WHY =
  'so that nobody is surprised,because the replica lags,since the auditors ask for it,to keep the bill small,because it was forgotten in March,so that the next shift can sleep'.split(
    ',',
  )

/** Writes `count` pages below `dir`, a hundred to a directory; about 450 words each, the same for the same seed. */
export async function writePages(dir: string, count: number, seed = 1): Promise<void> {
  for (let at = 0; at < count; at += 100) {
    const folder = path.join(dir, `part-${String(at / 100).padStart(4, '0')}`)
    await mkdir(folder, { recursive: true })
    const numbers = Array.from({ length: Math.min(100, count - at) }, (_, n) => at + n)
    await Promise.all(
      numbers.map((n) => writeFile(path.join(folder, `page-${n}.md`), pageOf(seed * 1_000_003 + n, n))),
    )
  }
}

function pageOf(seed: number, n: number): string {
  const chance = openRandom(seed)
  const sections = Array.from({ length: Math.floor(chance.between(3, 6)) }, () => sectionOf(chance))
  return `# ${title(chance)} ${n}\n\n${paragraph(chance)}\n\n${sections.join('\n\n')}\n`
}

function sectionOf(chance: Random): string {
  const more = chance.pick([list, code, table, paragraph])
  return `## ${title(chance)}\n\n${paragraph(chance)}\n\n${more(chance)}`
}

function title(chance: Random): string {
  const [first = '', second] = [chance.pick(THINGS), chance.pick(THINGS)]
  return `${first.charAt(0).toUpperCase()}${first.slice(1)} and ${second}`
}

function sentence(chance: Random): string {
  const who = chance.pick(PEOPLE)
  const words = [who, chance.pick(DOINGS), `the ${chance.pick(THINGS)} of the ${chance.pick(THINGS)}`]
  const rest = [chance.pick(WHEN), chance.pick(WHY)]
  return `${[...words, ...rest].join(' ')}.`.replace(/^./, (letter) => letter.toUpperCase())
}

function paragraph(chance: Random): string {
  return Array.from({ length: Math.floor(chance.between(2, 5)) }, () => sentence(chance)).join(' ')
}

function list(chance: Random): string {
  return Array.from({ length: 5 }, () => `- ${sentence(chance)}`).join('\n')
}

function code(chance: Random): string {
  const lines = Array.from(
    { length: 5 },
    () =>
      `${chance.pick(THINGS)}ctl ${chance.pick(THINGS)} --${chance.pick(THINGS)}=PAY-${Math.floor(chance.between(1, 9_999))}`,
  )
  return `\`\`\`sh\n${lines.join('\n')}\n\`\`\``
}

function table(chance: Random): string {
  const rows = Array.from(
    { length: 5 },
    () => `| ${chance.pick(THINGS)} | ${chance.pick(PEOPLE)} | ${chance.pick(WHEN)} |`,
  )
  return `| what | who | when |\n|---|---|---|\n${rows.join('\n')}`
}
