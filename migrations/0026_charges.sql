-- What a wake-up was charged when it was handed over: given back where it used nothing.
alter table wakeups add column charge double precision not null default 0,
  add column lane_charge double precision not null default 0;

-- Holds tokens and money for calls, each in all of its windows or in none. `asked`: {"ledger", "aliveMs",
-- "windows": [{"workspace", "scope", "holder", "unit", "every", "zone", "allowed"}], "holds": [{"id", "windows": indexes
-- from 0, "prompt", "most", "least", prices in millionths of a dollar for a million tokens, …}]}. Answers for each hold
-- {"most"}, or {"short"}: the window that is in the way. Asked again with the same id it answers the same.
-- Whoever locks windows locks them in the order of their keys.
create or replace function reserve_spend(asked jsonb) returns jsonb language plpgsql as $$
declare
  one record;
  had record;
  budget budgets;
  at int;
  need bigint;
  fits bigint;
  most bigint;
  lasting boolean;
  short jsonb;
  rows budgets[] := '{}';
  taken bigint[] := '{}';
  full_now boolean[] := '{}';
  before smallint[] := '{}';
  answers jsonb := '[]';
begin
  insert into ledgers as l (id, alive_until)
  values ((asked ->> 'ledger')::uuid, now() + (asked ->> 'aliveMs')::int * interval '1 millisecond')
  on conflict (id) do update set alive_until = excluded.alive_until
    where l.alive_until < now() + (asked ->> 'aliveMs')::int * interval '0.5 millisecond';

  for one in
    select w.*, n, t.* from jsonb_array_elements(asked -> 'windows') with ordinality as e (value, n),
      jsonb_to_record(e.value) as w (workspace text, scope text, holder text, unit text, every text, zone text, allowed bigint),
      window_now(w.every, w.zone) t
    order by w.workspace, w.scope, w.holder, w.unit, w.every
  loop
    loop
      select * into budget from budgets b
      where b.workspace = one.workspace and b.scope = one.scope and b.holder = one.holder and b.unit = one.unit
        and b.every = one.every and b.begins = one.begins
      for update;
      exit when found;
      -- A budget that is set in the middle of a window counts what was spent in it before, money on cloud
      -- models only; of a team nobody can tell.
      insert into budgets (workspace, scope, holder, unit, every, begins, ends, allowed, used)
      select one.workspace, one.scope, one.holder, one.unit, one.every, one.begins, one.ends, one.allowed,
             coalesce(sum(case when one.unit = 'tokens' then s.tokens when s.tier = 'cloud' then s.cost else 0 end), 0)
      from spend s left join runs r on r.id = s.run
      where s.workspace = one.workspace and s.begun_at >= one.begins and s.state <> 'held'
        and case one.scope when 'workspace' then true when 'agent' then s.agent = one.holder
            when 'channel' then r.channel = one.holder when 'user' then r.asker = one.holder else false end
      on conflict do nothing;
    end loop;
    -- Another allowance is another 50 %.
    before[one.n] := case when budget.allowed = one.allowed then budget.reached
                          else percent_reached(budget.used, one.allowed + budget.raised) end;
    budget.allowed := one.allowed;
    rows[one.n] := budget;
    taken[one.n] := 0;
    full_now[one.n] := false;
  end loop;

  for one in
    select * from jsonb_to_recordset(asked -> 'holds') as h (
      id uuid, windows int[], workspace text, run uuid, agent text, lane text, pool text, model text, tier text,
      prompt bigint, most bigint, least bigint, "promptPrice" bigint, "completionPrice" bigint, forced boolean)
  loop
    select s.tokens - s.prompt as most into had from spend s where s.id = one.id;
    if found then
      answers := answers || jsonb_build_object('most', had.most);
      continue;
    end if;
    most := one.most;
    short := null;
    lasting := false;
    foreach at in array one.windows loop
      budget := rows[at + 1];
      need := budget.allowed + budget.raised - budget.used - budget.held - taken[at + 1];
      fits := case when budget.unit = 'tokens' then need - one.prompt
                   when one."completionPrice" > 0
                     then floor((need::numeric * 1000000 - one.prompt * one."promptPrice") / one."completionPrice")::bigint
                   when need::numeric * 1000000 >= one.prompt * one."promptPrice" then one.most
                   else -1 end;
      most := least(most, fits);
      if fits < one.least then
        -- Whether it would be too little even if nothing were held: then only time or an admin helps.
        need := case when budget.unit = 'tokens' then one.prompt + one.least
                     else ceil((one.prompt * one."promptPrice" + one.least * one."completionPrice")::numeric / 1000000) end;
        if budget.used + need > budget.allowed + budget.raised then
          full_now[at + 1] := true;
          if not lasting or budget.ends > (short ->> 'ends')::timestamptz then
            short := jsonb_build_object('window', at, 'lasting', true, 'ends', budget.ends, 'need', need);
          end if;
          lasting := true;
        elsif not lasting then
          short := jsonb_build_object('window', at, 'lasting', false, 'ends', budget.ends, 'need', need);
        end if;
      end if;
    end loop;
    if short is not null and not coalesce(one.forced, false) then
      budget := rows[(short ->> 'window')::int + 1];
      answers := answers || jsonb_build_object('short', short || jsonb_build_object(
        'key', budget.key, 'allowed', budget.allowed, 'raised', budget.raised, 'used', budget.used,
        'held', budget.held + taken[(short ->> 'window')::int + 1]));
      continue;
    end if;
    if coalesce(one.forced, false) then most := one.most; end if;
    foreach at in array one.windows loop
      taken[at + 1] := taken[at + 1] + case when (rows[at + 1]).unit = 'tokens' then one.prompt + most
        else ceil((one.prompt * one."promptPrice" + most * one."completionPrice")::numeric / 1000000) end;
    end loop;
    insert into spend (id, workspace, state, ledger, run, after, agent, lane, pool, model, tier, budgets,
                       tokens, cost, least_tokens, least_cost, prompt)
    select one.id, one.workspace, 'held', (asked ->> 'ledger')::uuid, r.id, r.n, one.agent, one.lane, one.pool,
           one.model, one.tier, array(select (rows[w + 1]).id from unnest(one.windows) w),
           one.prompt + most,
           ceil((one.prompt * one."promptPrice" + most * one."completionPrice")::numeric / 1000000),
           one.prompt + one.least,
           ceil((one.prompt * one."promptPrice" + one.least * one."completionPrice")::numeric / 1000000), one.prompt
    from (select) nothing left join runs r on r.id = one.run;
    answers := answers || jsonb_build_object('most', most);
  end loop;

  update budgets b
  set held = b.held + d.taken, allowed = d.allowed, reached = d.reached,
      told = case when b.allowed = d.allowed then b.told else least(b.told, d.reached) end
  from (
    select (rows[n]).id, (rows[n]).allowed, taken[n] as taken, case when full_now[n] then 100 else before[n] end as reached
    from generate_subscripts(rows, 1) n
  ) d
  where b.id = d.id and (d.taken > 0 or b.allowed <> d.allowed or b.reached <> d.reached);
  return answers;
end
$$;
alter function reserve_spend(jsonb) set enable_seqscan = off;
