/** `quorum forget [USER] --yes`: erases what is kept of a person, and the bytes of what was deleted. */
import { parseArgs } from 'node:util'
import { type Erased, forgetPerson, scrub } from '../store/erase.ts'
import type { Store } from '../store/open.ts'

type Context = { store: Pick<Store, 'pool' | 'kind'>; workspace: string; print: (line: string) => void }

const FORGET_USAGE = 'quorum forget [USER] --yes'

/** Without a person only the bytes of what was deleted before are erased. Answers the exit code. */
export async function forgetDoor(args: string[], { store, workspace, print }: Context): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { yes: { type: 'boolean', default: false } },
  })
  const [user, ...more] = positionals
  if (more.length > 0 || (user !== undefined && !/^[UW][A-Z0-9]+$/.test(user))) {
    print(`USER is a Slack user id, as U0123456789. Usage: ${FORGET_USAGE}`)
    return 2
  }
  if (!values.yes) {
    const what = user
      ? `everything ${user} said, asked and decided in ${workspace} is erased`
      : 'what was deleted is erased from the disk'
    print(`Nothing was done. With --yes ${what}; that cannot be undone.`)
    return 2
  }
  if (user)
    for (const line of formatErased(user, await forgetPerson(store.pool, workspace, user))) print(line)
  await scrub(store)
  print(
    store.kind === 'embedded'
      ? 'The files of the embedded database were rewritten: what was deleted is not in them any more.'
      : 'Rows are freed. PostgreSQL writes over them in time; its log (WAL), replicas and backups keep what they hold until they expire.',
  )
  return 0
}

/** What was removed, and what cannot be, in lines for a terminal. */
function formatErased(user: string, erased: Erased): string[] {
  const { messages, documents, runs, ended, steps, inbox, accounts } = erased
  return [
    `${user} is forgotten:`,
    `  ${messages} messages in channels that are sources; ${documents} documents they stood in, with passages and vectors (\`quorum start\` makes them anew without)`,
    `  ${runs} runs they asked for are emptied, ${ended} of which were under way and are ended; ${steps} steps in runs of others`,
    `  ${inbox} rows of the inbox, ${accounts} connected accounts, memberships, grants, budgets`,
    'Not erased: what stands in Slack itself, what others wrote about them, files and pages of other sources, and what their accounts still allow at tool servers. Their id is kept, so that old messages are not read again.',
  ]
}
