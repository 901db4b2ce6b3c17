/** A local workspace whose channels are followed: listener and follower as the product wires them, on a store. */
import { type FollowContext, openFollower, stillListening } from '../../src/agent/knowledge/follower.ts'
import { overhear } from '../../src/agent/knowledge/overhear.ts'
import type { SlackSource } from '../../src/core/home.ts'
import { openWorkspace, type Workspace, type WorkspaceOptions } from '../../src/demo/workspace/open.ts'
import type { Store } from '../../src/store/open.ts'
import { openSlack, type Slack } from './slack.ts'
import { until } from './stage.ts'
import { openTestStore } from './store.ts'

export type Document = { path: string; title: string; link: string; scopes: string[]; text: string }

export type Stand = AsyncDisposable & {
  workspace: Workspace
  store: Store
  /** What was logged at warn or above. */
  log: string[]
  /** Begins to listen and to follow, `many` times side by side; ends with `rest`. */
  follow(sources?: Record<string, SlackSource>, many?: number): Promise<void>
  /** Stops listening and following, as a process that ends. */
  rest(): Promise<void>
  /** As if nobody had listened for so many minutes; takes effect with the next `follow`. */
  absent(minutes: number): Promise<void>
  /** Waits until nothing is left to be read or made. */
  settled(): Promise<void>
  /** All documents with the text of their passages, by path. */
  documents(): Promise<Document[]>
  /** Texts of all documents, settled. */
  texts(): Promise<string[]>
}

export const everywhere = (since = '90d'): Record<string, SlackSource> => ({
  chat: { slack: { channels: 'all', since } },
})

/** Opens the stand; close it with `await using`. Nothing is followed before `follow`. */
export async function openStand(options: WorkspaceOptions = {}): Promise<Stand> {
  await using opened = new AsyncDisposableStack()
  const workspace = opened.use(await openWorkspace(options))
  const store = opened.use(await openTestStore())
  const log: string[] = []
  let ends: (() => Promise<void>)[] = []
  const rest = async () => {
    await Promise.all(ends.map((end) => end()))
    ends = []
  }
  opened.defer(rest)
  const held = opened.move()
  const { pool } = store

  async function follow(sources = everywhere(), many = 1): Promise<void> {
    await rest()
    await Promise.all(Array.from({ length: many }, () => begin(sources)))
  }

  async function begin(sources: Record<string, SlackSource>): Promise<void> {
    const note: FollowContext['log'] = (level, message, fields) => {
      if (level !== 'info') log.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`)
    }
    let follower: ReturnType<typeof openFollower> | undefined
    const slack: Slack = await openSlack(workspace, {
      overhear: (heard) => overhear({ pool, poke: (what) => follower?.poke(what) }, heard),
      changed: async () => {},
      intake: async () => 'not-for-us',
      handle: async () => {},
      open: async () => '',
      check: async () => undefined,
      home: async () => ({ type: 'home', blocks: [] }),
    })
    follower = openFollower({
      ...{ pool, workspace: workspace.team, sources: () => sources, log: note },
      ...{ speak: slack.speak, channels: slack.channels },
    })
    await slack.start()
    await stillListening({ pool, workspace: workspace.team, sources: () => sources })
    const following = follower
    ends.push(async () => {
      await slack.close()
      await following.close()
    })
  }

  async function settled(): Promise<void> {
    await until(async () => {
      const { rows } = await pool.query<{ left: number }>(
        `select (select count(*) from followed) = 0
           or exists (select from followed where announced_at is null or state = 'left')
           or exists (select from walks) or exists (select from rewrites)
           or exists (select from threads where due_at is not null) as busy`,
      )
      return workspace.pending() === 0 && !(rows[0] as { busy?: boolean } | undefined)?.busy
    }, 120_000)
  }

  async function documents(): Promise<Document[]> {
    const { rows } = await pool.query<Document>(
      `select d.path, d.title, d.link, a.scopes, string_agg(p.text, E'\\n' order by p.n) as text
       from documents d join audiences a on a.id = d.audience join passages p on p.document = d.id
       group by d.id, a.scopes order by d.path`,
    )
    return rows
  }

  return {
    workspace,
    store,
    log,
    follow,
    rest,
    async absent(minutes) {
      await pool.query(`update followed set listened_at = listened_at - $1 * interval '1 minute'`, [minutes])
    },
    settled,
    documents,
    async texts() {
      await settled()
      return (await documents()).map((one) => one.text)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
