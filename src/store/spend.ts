/** What was spent, by whom and on what. */
import type { Db } from './transaction.ts'

export const SPEND_BY = ['agent', 'channel', 'user', 'run', 'step', 'tool', 'model', 'day'] as const
export type SpendBy = (typeof SPEND_BY)[number]

/** One line of what was spent; `what` is empty where nobody knows any more or nothing of the kind took part. */
export type Spent = {
  what: string
  calls: number
  prompt: number
  cached: number
  completion: number
  /** Millionths of a dollar. */
  cost: number
}

/** What stands at the head of a line. `$3` is the time zone of a day. */
const WHAT: Record<SpendBy, string> = {
  agent: 's.agent',
  channel: 'r.channel',
  user: 'r.asker',
  run: 's.run::text',
  step: `s.run || ' ' || answer.n`,
  tool: 'call.tool',
  model: 's.model',
  day: `to_char(s.begun_at at time zone $3, 'YYYY-MM-DD')`,
}

const SUMS = `round(sum(s.prompt * share))::int8 as prompt, round(sum(s.cached * share))::int8 as cached,
  round(sum(s.completion * share))::int8 as completion, round(sum(s.cost * share))::int8 as cost`

/**
 * Everything that was charged since a time (ISO) or, where there is a workspace, what it was charged, the dearest first;
 * days in their order. A tool is charged its equal part of every answer that called it: failed attempts to get that
 * answer included, its result in later prompts not.
 */
export async function readSpend(
  db: Db,
  of: { by: SpendBy; since: string; zone: string; workspace?: string | undefined },
): Promise<Spent[]> {
  const answer = `left join lateral (
      select t.n, t.body from steps t where t.run = s.run and t.kind = 'answered' and t.n > s.after order by t.n limit 1
    ) answer on true`
  const call = `left join lateral (
      select c.value ->> 'tool' as tool, 1.0 / jsonb_array_length(answer.body -> 'calls') as part
      from jsonb_array_elements(answer.body -> 'calls') c
    ) call on true`
  const found = await db.query<Spent>(
    `select coalesce(${WHAT[of.by]}, '') as what, count(distinct s.id) as calls, ${SUMS}
     from spend s left join runs r on r.id = s.run
       ${['step', 'tool'].includes(of.by) ? answer : ''} ${of.by === 'tool' ? call : ''}
       cross join lateral (select ${of.by === 'tool' ? 'coalesce(call.part, 1)' : '1'} as share) shares
     where s.state <> 'held' and s.begun_at >= $1 and ($2::text is null or s.workspace = $2) and $3::text is not null
     group by 1 order by ${of.by === 'day' ? '1' : 'cost desc, sum((s.prompt + s.completion) * share) desc, 1'}`,
    [of.since, of.workspace ?? null, of.zone],
  )
  return found.rows
}

/** What one run was charged so far. */
export async function readSpendOf(
  db: Db,
  run: string,
): Promise<{ tokens: number; cost: number } | undefined> {
  const found = await db.query<{ tokens: number | null; cost: number | null }>(
    `select sum(tokens)::int8 as tokens, sum(cost)::int8 as cost from spend where run = $1 and state <> 'held'`,
    [run],
  )
  const { tokens = null, cost } = found.rows[0] ?? {}
  return tokens === null ? undefined : { tokens, cost: cost ?? 0 }
}
