-- Wakes the runs of a workspace that wait for this, those that were asked first, `most` of them where it is not null.
-- Answers how many. One whose wake-up was handed over already may only just have been parked: it is woken anew, since
-- whoever parked it is about to clear the old wake-up.
create function wake_waiting(space text, what text, which text, most int) returns int language sql as $$
  with woken as (
    insert into wakeups as w (run, id, lane, workspace, person, asked_at)
    select id, gen_random_uuid(), lane, workspace, asker, created_at from runs
    where workspace = space and waits ->> 'for' = what and waits ->> 'key' = which and active
    order by created_at limit most
    on conflict (run) do update set id = excluded.id, created_at = now(), dispatched_at = null
      where w.dispatched_at is not null
    returning 1
  )
  select count(*)::int from woken
$$;

-- Turns what was held into what was used: once for each call, whatever comes twice. A call that was taken for dead and
-- settles after all is charged the difference. Runs that wait for something held are woken, the first few of them.
create or replace function settle_spend(asked jsonb, into_state text) returns void language plpgsql as $$
declare
  ids bigint[];
  used_tokens bigint[];
  used_cost bigint[];
  freed_tokens bigint[];
  freed_cost bigint[];
begin
  with charge as (
    select * from jsonb_to_recordset(asked)
      as c (id uuid, tokens bigint, cost bigint, prompt bigint, completion bigint, cached bigint, sure boolean)
  ), old as (
    select s.id, s.state, s.tokens, s.cost, s.budgets from spend s
    where s.id in (select c.id from charge c) and s.state = any(case into_state when 'settled' then '{held,swept}' else '{held}' end::text[])
    order by s.id for update
  ), moved as (
    update spend s set state = into_state, tokens = c.tokens, cost = c.cost, prompt = c.prompt,
           completion = c.completion, cached = c.cached, sure = c.sure, ended_at = now()
    from old join charge c on c.id = old.id where s.id = old.id
  ), each as (
    select unnest(old.budgets) as budget,
           c.tokens - case old.state when 'swept' then old.tokens else 0 end as tokens,
           c.cost - case old.state when 'swept' then old.cost else 0 end as cost,
           case old.state when 'held' then old.tokens else 0 end as freed_tokens,
           case old.state when 'held' then old.cost else 0 end as freed_cost
    from old join charge c on c.id = old.id
  ), sums as (
    select budget, sum(tokens) as t, sum(cost) as c, sum(e.freed_tokens) as ft, sum(e.freed_cost) as fc
    from each e group by budget
  )
  select array_agg(budget), array_agg(t), array_agg(c), array_agg(ft), array_agg(fc)
  into ids, used_tokens, used_cost, freed_tokens, freed_cost from sums;
  if ids is null then return; end if;

  perform from budgets where id = any(ids) order by workspace, scope, holder, unit, every, begins for update;
  update budgets b
  set used = b.used + d.used, held = b.held - d.freed,
      reached = greatest(b.reached, percent_reached(b.used + d.used, b.allowed + b.raised))
  from (
    select u.id, case b.unit when 'tokens' then u.t else u.c end as used,
           case b.unit when 'tokens' then u.ft else u.fc end as freed
    from unnest(ids, used_tokens, used_cost, freed_tokens, freed_cost) as u (id, t, c, ft, fc)
      join budgets b on b.id = u.id
  ) d
  where b.id = d.id;

  perform wake_waiting(b.workspace, 'budget', b.key || ':held', 8) from budgets b where b.id = any(ids);
end
$$;
alter function settle_spend(jsonb, text) set enable_seqscan = off;
alter function settle_spend(jsonb, text) set enable_hashjoin = off;
alter function settle_spend(jsonb, text) set enable_mergejoin = off;
