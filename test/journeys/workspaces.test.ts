import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { takeDecision } from '../../src/agent/approvals/decision.ts'
import { openWorkspace, type Workspace } from '../../src/demo/workspace/open.ts'
import { serve } from '../../src/doors/serve.ts'
import { inTransaction } from '../../src/store/transaction.ts'
import { installIn } from '../support/installing.ts'
import { openStage, type Stage, until } from '../support/stage.ts'
import { modern } from '../support/tools.ts'

const OTHER = { id: 'T0OTHER', name: 'Other' }

const open = (installs: boolean) =>
  openStage({
    installs,
    servers: { modern: modern() },
    budgets: { users: { '*': { day: { tokens: '500k' } } } },
    model: ({ body }) => {
      const last = body.messages.at(-1)
      const word = /word (\w+)/.exec(last?.content ?? '')?.[1]
      if (last?.role === 'tool') return { text: 'Summed.' }
      return word ? { text: `You said ${word}.` } : { calls: [{ name: 'modern__sum', args: { a: 1, b: 2 } }] }
    },
  })

/** The stage's workspace and another one: each has a token and a part of its own, or both are installed and share one. */
async function openBoth(stage: Stage, installs: boolean): Promise<AsyncDisposable & { other: Workspace }> {
  await using opened = new AsyncDisposableStack()
  const other = opened.use(
    installs
      ? await stage.workspace.beside({ team: OTHER, installed: false })
      : await openWorkspace({ team: OTHER }),
  )
  if (installs) {
    await installIn(stage, stage.workspace)
    await installIn(stage, other)
    await until(async () => stage.serving().workspaces().length === 2, 30_000)
  } else {
    const { botToken, appToken, apiUrl } = other
    const serving = await serve(stage.engines, { botToken, appToken, apiUrl }, 'all')
    opened.defer(() => serving.close(4_000))
  }
  const rest = opened.move()
  return { other, [Symbol.asyncDispose]: () => rest.disposeAsync() }
}

test.each([
  ['each with a token of its own', false],
  ['installed in one process', true],
])(
  'two workspaces with the same ids of people and channels, %s, never meet',
  { timeout: 120_000 },
  async (_, installs) => {
    await using stage = await open(installs)
    await using both = await openBoth(stage, installs)
    const { other } = both
    const here = stage.workspace
    const { pool } = stage.engines.store
    expect([other.channels, other.users]).toEqual([here.channels, here.users])
    const channel = here.channels.general
    const ana = here.users.ana
    const words = Array.from({ length: 6 }, () => randomUUID().slice(0, 6))
    const asked = await Promise.all(
      words.map((word, i) => (i % 2 ? here : other).say(ana, channel, `@quorum word x${word}`)),
    )
    await until(async () => {
      const found = await pool.query('select count(*)::int as n from runs where not active')
      return found.rows[0].n === asked.length
    }, 60_000)
    for (const [i, word] of words.entries()) {
      const mine = i % 2 ? here : other
      const theirs = i % 2 ? other : here
      await mine.until(() => JSON.stringify(mine.messages(channel)).includes(`You said x${word}.`), 30_000)
      expect(JSON.stringify(theirs.messages(channel))).not.toContain(word)
    }
    // Each workspace has a budget of its own for the one whose id both have.
    const budgets = await pool.query(
      `select workspace from budgets where scope = 'user' and holder = $1 group by 1 order by 1`,
      [ana],
    )
    expect(budgets.rows.map((row) => row.workspace)).toEqual([here.team, other.team].toSorted())

    const ts = await here.say(ana, channel, '@quorum sum it up')
    const card = await stage.card(channel, ts)
    const button = JSON.stringify(here.messages(channel, ts)).match(/"value":"([0-9a-f-]{36})"/)?.[1] ?? ''
    expect(card && button).toBeTruthy()

    const click = {
      kind: 'clicked',
      workspace: other.team,
      channel,
      user: ana,
      choice: 'approve',
      approval: button,
      clickTs: '1.1',
    } as const
    const decision = await inTransaction(pool, (tx) =>
      takeDecision(tx, click, { person: { id: click.user, groups: [] }, policy: stage.engines.home.policy }),
    )
    expect(decision).toEqual({ outcome: 'gone' })
    // So is App Home: what Ana has under way here she has not there.
    await other.openHome(ana)
    const home = await other.until(() => other.home(ana), 30_000)
    expect(JSON.stringify(home)).not.toContain('sum it up')
    await here.openHome(ana)
    await here.until(() => JSON.stringify(here.home(ana) ?? {}).includes('sum it up'), 30_000)
    await here.click(ana, channel, card, 'deny')
    await stage.ended(channel, ts)
  },
)
