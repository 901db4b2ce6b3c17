/**
 * Loaded into a process of the product before anything else (`--import`): the process ends itself by SIGKILL at exactly
 * one point between the press of Approve and the result on the card, wherever a file asks for that in the directory
 * MORTAL_ORDERS. An order is a file named `POINT.N`; whoever obeys moves it to `obeyed/` first, so each kills once.
 * What leaves the process and what comes in is looked at from outside: statements, bytes to and from the tool, calls of Slack.
 */
import child from 'node:child_process'
import { readdirSync, readFileSync, renameSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import pg from 'pg'

/** In the order in which a call passes them. */
export const POINTS = [
  'click heard',
  'click stored',
  'before the vote',
  'vote written',
  'vote committed',
  'before the claim',
  'claim written',
  'claim committed',
  'before the call leaves',
  'call sent',
  'effect before answer',
  'answer arrived',
  'before the result',
  'result written',
  'result committed',
  'before the card is edited',
  'card edited',
] as const
type Point = (typeof POINTS)[number]

const { MORTAL_ORDERS: orders, MORTAL_EFFECTS: effects = '' } = process.env
if (orders) {
  watchStatements()
  watchTools()
  watchSlack()
}

function pass(point: Point): void {
  const order = readdirSync(orders ?? '').find((name) => name.startsWith(`${point}.`))
  if (!order) return
  try {
    renameSync(path.join(orders ?? '', order), path.join(orders ?? '', 'obeyed', order))
  } catch {
    return // Another process was quicker.
  }
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) // Nothing more leaves, however late the signal.
}

type Watched = { before?: Point; written?: Point; committed?: Point }

/** What a statement is about, by what it is written to. */
function aboutOf(sql: string, values: readonly unknown[]): Watched | undefined {
  const words = values.map(String).join(' ')
  if (sql.startsWith('insert into inbox') && words.includes('"choice":"approve"'))
    return { before: 'click heard', committed: 'click stored' }
  if (sql.includes('update approvals set votes'))
    return { before: 'before the vote', written: 'vote written', committed: 'vote committed' }
  if (!sql.includes('insert into steps')) return undefined
  if (words.includes('"kind":"started"'))
    return { before: 'before the claim', written: 'claim written', committed: 'claim committed' }
  if (words.includes('"kind":"returned"'))
    return { before: 'before the result', written: 'result written', committed: 'result committed' }
  return undefined
}

function watchStatements(): void {
  const query = pg.Client.prototype.query as (this: pg.Client, ...args: unknown[]) => unknown
  const within = new WeakMap<pg.Client, Watched>()
  function watched(this: pg.Client, ...args: unknown[]): unknown {
    const [sql, values] = args
    if (typeof sql !== 'string') return query.apply(this, args)
    const about = aboutOf(sql, Array.isArray(values) ? values : [])
    if (about?.before) pass(about.before)
    if (about?.written) within.set(this, about)
    const open = sql === 'commit' ? within.get(this) : undefined
    if (sql === 'commit' || sql === 'rollback') within.delete(this)
    if (open?.written) pass(open.written)
    const after = open?.committed ?? (about?.written ? undefined : about?.committed)
    const last = args.at(-1)
    if (after && typeof last === 'function') {
      const passing = (...got: unknown[]) => {
        pass(after)
        last(...got)
      }
      return query.apply(this, [...args.slice(0, -1), passing])
    }
    const result = query.apply(this, args)
    if (!after || !(result instanceof Promise)) return result
    return result.then((done) => {
      pass(after)
      return done
    })
  }
  pg.Client.prototype.query = watched as typeof pg.Client.prototype.query
}

/** The tool's process: what is written to it, what it has done, what it says. */
function watchTools(): void {
  const spawn = child.spawn as (...args: unknown[]) => child.ChildProcess
  child.spawn = ((...args: unknown[]) => {
    const tool = spawn(...args)
    const { stdin, stdout } = tool
    if (!stdin || !stdout) return tool
    const write = stdin.write.bind(stdin) as (...args: unknown[]) => boolean
    stdin.write = ((...sent: unknown[]) => {
      const id = /"tools\/call".*"id":"(book-\d+)"/.exec(String(sent[0]))?.[1]
      if (!id) return write(...sent)
      pass('before the call leaves')
      const went = write(...sent)
      pass('call sent')
      answered.get(id)?.()
      const look = setInterval(() => {
        if (readFileSync(effects, 'utf8').split('\n').includes(id)) pass('effect before answer')
      }, 1).unref() // An answer may never come: that must not keep the process from ending.
      answered.set(id, () => clearInterval(look))
      tool.once('exit', () => clearInterval(look))
      return went
    }) as typeof stdin.write
    const push = stdout.push.bind(stdout)
    const answered = new Map<string, () => void>()
    stdout.push = (chunk, encoding) => {
      const id = /(book-\d+) is on record/.exec(String(chunk))?.[1]
      if (id) {
        answered.get(id)?.()
        pass('answer arrived')
      }
      return push(chunk, encoding)
    }
    return tool
  }) as typeof child.spawn
  syncBuiltinESMExports()
}

function watchSlack(): void {
  const { fetch } = globalThis
  globalThis.fetch = async (input, init) => {
    const edits = String(input).endsWith('/chat.update') && String(init?.body).includes('card-')
    if (edits) pass('before the card is edited')
    const response = await fetch(input, init)
    if (edits) pass('card edited')
    return response
  }
}
