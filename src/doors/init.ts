/** `quorum init DIR`: writes a first home. */
import { parseArgs } from 'node:util'
import { writeStarter } from '../home/starter.ts'

export const INIT_USAGE = 'quorum init DIR'

/** Answers the exit code. Throws `config-invalid` where the directory is not empty. */
export async function initDoor(args: string[], context: { print: (line: string) => void }): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} })
  const [dir] = positionals
  if (dir === undefined || positionals.length > 1) {
    context.print(`Usage: ${INIT_USAGE}`)
    return 2
  }
  const files = await writeStarter(dir)
  context.print(`Wrote ${files.length} files into ${dir}:`)
  for (const file of files) context.print(`  ${file}`)
  context.print(
    `Next: put QUORUM_HOME=${dir} into .env, beside the tokens of Slack, and run \`quorum doctor\`.`,
  )
  return 0
}
