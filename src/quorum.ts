#!/usr/bin/env node
/** The command line: one line a door. */
import { Fault } from './core/fault.ts'
import { type Asked, untilAsked } from './doors/until.ts'

/** One that stays runs until it is asked to end; then the process ends, whatever is still open. */
type Door = { usage: string; about: string } & (
  | { open: (args: string[]) => Promise<number> }
  | { stay: (args: string[], asked: Asked) => Promise<number> }
)

const DOORS: Record<string, Door> = {
  demo: {
    usage: '[--fresh] [--port 4400]',
    about: 'everything in one process, with a small Slack in the browser',
    open: async (args) => (await import('./doors/demo.ts')).demoDoor(args),
  },
  start: {
    usage: '[--only slack]',
    about: 'listen to Slack and work; with --only slack, listen only',
    stay: async (args, asked) => (await import('./doors/start.ts')).startDoor(args, asked),
  },
  worker: {
    usage: '',
    about: 'work only: advance what other processes heard',
    stay: async (args, asked) => (await import('./doors/start.ts')).workerDoor(args, asked),
  },
  doctor: {
    usage: '',
    about: 'what is configured, reachable and migrated, and what to do about what is not',
    open: async (args) => (await import('./doors/doctor.ts')).doctorDoor(args),
  },
  workspaces: {
    usage: '| invite [--days 7] | remove T…',
    about: 'where it is installed; a link to install it; leave a workspace',
    open: async (args) => (await import('./doors/workspaces.ts')).workspacesDoor(args),
  },
  init: {
    usage: 'DIR',
    about: 'write a commented starter home',
    open: async (args) =>
      (await import('./doors/init.ts')).initDoor(args, { print: (await import('./doors/print.ts')).print }),
  },
  tools: {
    usage: 'list | accept [SERVER…] [--all]',
    about: 'which tools are accepted; look at new and changed ones and accept them',
    open: async (args) => (await import('./doors/rules.ts')).openToolsDoor(args),
  },
  policy: {
    usage: "explain SERVER__TOOL ['{…}'] | check",
    about: 'what the policy says of a call and why; whether it is right',
    open: async (args) => (await import('./doors/rules.ts')).openPolicy(args),
  },
  spend: {
    usage: '[--by agent] [--since 7d]',
    about: 'what was spent on models: by agent, channel, user, run, step, tool, model or day',
    open: async (args) => (await import('./doors/spend.ts')).openSpend(args),
  },
  feedback: {
    usage: '[--down] [--since 30d]',
    about: 'what people thought of answers: thumbs, what was wrong, what they did instead',
    open: async (args) => (await import('./doors/feedback.ts')).openFeedback(args),
  },
  pool: {
    usage: 'status | drain NAME… | undrain NAME…',
    about: 'the model servers: which are up, how busy; which get no new calls',
    open: async (args) => (await import('./doors/pool.ts')).poolDoor(args),
  },
  size: {
    usage: '[--from-metrics] [--questions N …] [--json]',
    about: 'how many model servers and worker slots a load takes, what it costs, how long it waits',
    open: async (args) => (await import('./doors/size.ts')).openSize(args),
  },
  migrate: {
    usage: '',
    about: 'bring the database to this version',
    open: async (args) => (await import('./doors/migrate.ts')).migrateDoor(args),
  },
  ingest: {
    usage: '[DIR]',
    about: 'read knowledge: a directory, or everything in sources.yaml',
    open: async (args) => (await import('./doors/knowledge.ts')).openIngest(args),
  },
  forget: {
    usage: '[USER] --yes',
    about: 'erase what is kept of a person, and the bytes of what was deleted',
    open: async (args) => (await import('./doors/knowledge.ts')).openForget(args),
  },
  sources: {
    usage: '[NAME] [--json]',
    about: 'what is kept of each source, how fresh it is, what was skipped and what failed',
    open: async (args) => (await import('./doors/knowledge.ts')).openSources(args),
  },
  ask: {
    usage: '"question" [--as USER] [--explain]',
    about: 'an answer in the terminal; with --explain what was recalled and cited',
    open: async (args) => (await import('./doors/ask.ts')).openAsk(args),
  },
  search: {
    usage: '"words"',
    about: 'what would be recalled, with ranks and scores',
    open: async (args) => (await import('./doors/knowledge.ts')).openSearch(args),
  },
  eval: {
    usage: 'retrieval --collection DIR',
    about: 'how well questions find what answers them',
    open: async (args) => (await import('./doors/eval.ts')).evalDoor(args),
  },
}

/** Runs one command and answers the exit code; what went wrong is one clear sentence. */
async function main(argv: string[]): Promise<number> {
  const [name = '', ...args] = argv
  const door = Object.hasOwn(DOORS, name) ? DOORS[name] : undefined
  if (!door) {
    const asked = ['', 'help', '--help', '-h'].includes(name)
    process[asked ? 'stdout' : 'stderr'].write(`${asked ? '' : `There is no command ${name}.\n\n`}${usage()}`)
    return asked ? 0 : 2
  }
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(`quorum ${name} ${door.usage}\n${door.about}\n`)
    return 0
  }
  try {
    if ('open' in door) return await door.open(args)
    // From here on, before anything is loaded: whoever asks now is heard.
    return process.exit(await door.stay(args, untilAsked()))
  } catch (error) {
    process.stderr.write(`${tell(error, name, door)}\n`)
    return 1
  }
}

function tell(error: unknown, name: string, door: Door): string {
  if (error instanceof Fault) return `${error.message}\n(${error.code})`
  if (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) {
    return `${error.message}\nUsage: quorum ${name} ${door.usage}`
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

function usage(): string {
  const rows = Object.entries(DOORS).map(
    ([name, d]) => `  quorum ${`${name} ${d.usage}`.padEnd(32)} ${d.about}`,
  )
  return `A teammate for Slack that asks before it acts, on your own models.\n\n${rows.join('\n')}\n`
}

/** Whoever reads our output may stop reading: `quorum doctor | head`. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
process.exitCode = await main(process.argv.slice(2))
