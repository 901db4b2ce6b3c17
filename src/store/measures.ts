/** What a deployment measured of itself: how often models are called, how long they take, how much is read and written. */
import type { Db } from './transaction.ts'

/** The calls of one pool, in seconds and tokens. Attempts that failed with nothing written are not counted. */
export type Measures = {
  pool: string
  tier: 'local' | 'cloud'
  calls: number
  /** When the busiest hour began (ISO), how many calls came in it, and how the gaps between them vary (squared). */
  hour: string
  inHour: number
  gapsCv2: number | null
  /** From the hold to the last token. What a call waited inside of the server is part of it. */
  seconds: number
  secondsCv2: number | null
  /** Equally likely values, each in the middle of its hundredth. */
  secondsAt: number[]
  prompt: number
  promptP95: number
  cached: number
  completion: number
  completionP95: number
  /** Calls for each run, and what a run does beside them: searches and tools, in seconds. */
  callsPerRun: number | null
  besideS: number | null
  /** Of the steps of answers. */
  firstTokenP50: number | null
  firstTokenP95: number | null
  attempts: number | null
}

type Of = { days: number; workspace?: string | undefined }

/** One line for each pool that was called in the last days, the busiest first. */
export async function readMeasures(db: Db, { days, workspace }: Of): Promise<Measures[]> {
  const found = await db.query<Measures>(
    `with calls as (
       select pool, tier, run, begun_at, prompt, cached, completion,
              extract(epoch from ended_at - begun_at)::float8 as seconds
       from spend
       where state = 'settled' and completion > 0 and begun_at >= now() - $1 * interval '1 day'
         and ($2::text is null or workspace = $2)
     ), busiest as (
       select distinct on (pool) pool, date_trunc('hour', begun_at) as hour, count(*)::int as calls
       from calls group by 1, 2 order by 1, 3 desc, 2
     ), gaps as (
       select pool, extract(epoch from begun_at - lag(begun_at) over (partition by pool order by begun_at))::float8 as gap
       from calls join busiest using (pool) where date_trunc('hour', begun_at) = hour
     ), varied as (
       select pool, case when count(gap) >= 30 then var_samp(gap) / nullif(avg(gap), 0) ^ 2 end as cv2 from gaps group by 1
     ), beside as (
       select c.pool, sum(b.ms) / count(*) / 1000 as seconds
       from (select distinct pool, run from calls where run is not null) c
         cross join lateral (
           select coalesce(sum((body ->> 'ms')::float8), 0) as ms from steps
           where steps.run = c.run and kind in ('recalled', 'returned', 'read')
         ) b
       group by 1
     ), answers as (
       select body -> 'by' ->> 'pool' as pool, avg((body ->> 'attempts')::float8) as attempts,
              percentile_cont(array[.5, .95]) within group (order by (body ->> 'firstTokenMs')::float8) as first
       from steps
       where kind = 'answered' and run in (select run from calls) group by 1
     )
     select pool, min(tier) as tier, count(*)::int as calls, min(b.hour)::text as hour, min(b.calls) as "inHour",
            min(v.cv2) as "gapsCv2", avg(c.seconds) as seconds,
            var_samp(c.seconds) / nullif(avg(c.seconds), 0) ^ 2 as "secondsCv2",
            percentile_cont(array(select (n - .5) / 100 from generate_series(1, 100) n))
              within group (order by c.seconds) as "secondsAt",
            avg(prompt)::float8 as prompt, percentile_cont(.95) within group (order by prompt) as "promptP95",
            avg(cached)::float8 as cached, avg(completion)::float8 as completion,
            percentile_cont(.95) within group (order by completion) as "completionP95",
            count(run)::float8 / nullif(count(distinct run), 0) as "callsPerRun", min(beside.seconds) as "besideS",
            min(a.first[1]) / 1000 as "firstTokenP50", min(a.first[2]) / 1000 as "firstTokenP95",
            min(a.attempts) as attempts
     from calls c join busiest b using (pool) join varied v using (pool) left join beside using (pool)
       left join answers a using (pool)
     group by pool order by min(tier) desc, count(*) desc, pool`,
    [days, workspace ?? null],
  )
  return found.rows
}

/** What one workspace used on a day on which it used anything; `cost` of cloud models in millionths of a dollar. */
export type Burn = { workspace: string; days: number; tokens: number; mostTokens: number; cost: number }

/** What each workspace used a day, of every model, embeddings included; the one that used most first. */
export async function readBurn(db: Db, of: Of & { zone: string }): Promise<Burn[]> {
  const found = await db.query<Burn>(
    `select workspace, count(*)::int as days, avg(tokens)::float8 as tokens, max(tokens)::float8 as "mostTokens",
            avg(cost)::float8 as cost
     from (
       select workspace, date_trunc('day', begun_at at time zone $3), sum(tokens) as tokens,
              coalesce(sum(cost) filter (where tier = 'cloud'), 0) as cost
       from spend
       where state <> 'held' and begun_at >= now() - $1 * interval '1 day' and ($2::text is null or workspace = $2)
       group by 1, 2
     ) a_day
     group by 1 order by 3 desc, 1`,
    [of.days, of.workspace ?? null, of.zone],
  )
  return found.rows
}
