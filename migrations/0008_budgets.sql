-- What may be spent, what is held for calls under way, and what every call cost.

-- One window of one budget, made when the first call falls into it. Amounts are tokens, or millionths of a dollar.
-- `allowed` is what budgets.yaml said last, `raised` what admins added to it for this window.
create table budgets (
  id bigint generated always as identity primary key,
  workspace text not null,
  scope text not null check (scope in ('workspace', 'team', 'channel', 'user', 'agent')),
  -- Whose it is within the scope; empty for the workspace itself.
  holder text not null,
  unit text not null check (unit in ('tokens', 'dollars')),
  every text not null check (every in ('day', 'month')),
  begins timestamptz not null,
  ends timestamptz not null,
  allowed bigint not null,
  raised bigint not null default 0,
  used bigint not null default 0,
  held bigint not null default 0 check (held >= 0),
  -- How many percent were reached (0, 50, 80, 100), and how many people were told of.
  reached smallint not null default 0,
  told smallint not null default 0,
  -- What runs that wait for it are parked on.
  key text not null generated always as (scope || ':' || holder || ':' || unit || ':' || every) stored,
  unique (workspace, scope, holder, unit, every, begins)
);
create index budgets_to_tell on budgets (workspace) where reached > told;

-- Who raised a window, when, by how much.
create table raises (
  budget bigint not null references budgets (id) on delete cascade,
  by text not null,
  amount bigint not null,
  at timestamptz not null default now()
);
create index raises_of_a_budget on raises (budget);

-- Processes that hold something; whoever is not alive any more will not settle it.
create table ledgers (
  id uuid primary key,
  alive_until timestamptz not null
);

-- One attempt to get an answer from one server: first what is held for it, then what it used. Who asked, and where,
-- is found through the run: where that is deleted, an anonymous sum is left.
create table spend (
  id uuid primary key,
  workspace text not null,
  state text not null check (state in ('held', 'settled', 'swept')),
  ledger uuid not null,
  run uuid references runs (id) on delete set null,
  -- The run's last step when it was asked: the answer is the first one after it.
  after int,
  agent text not null,
  lane text not null,
  pool text not null,
  model text not null,
  tier text not null check (tier in ('local', 'cloud')),
  -- The windows it is held in and charged to.
  budgets bigint[] not null,
  tokens bigint not null,
  cost bigint not null,
  -- What is charged where its process dies: the prompt, and the smallest output that would have been of use.
  least_tokens bigint not null,
  least_cost bigint not null,
  prompt bigint not null,
  completion bigint not null default 0,
  cached bigint not null default 0,
  sure boolean not null default false,
  begun_at timestamptz not null default now(),
  ended_at timestamptz
);
create index spend_by_time on spend (workspace, begun_at);
create index spend_of_a_run on spend (run);
create index spend_held on spend (id) where state = 'held';

create function percent_reached(used bigint, total bigint) returns smallint language sql immutable as $$
  select (case when used >= total then 100 when used * 5 >= total * 4 then 80 when used * 2 >= total then 50 else 0 end)::smallint
$$;

-- The window of a budget that is open now, by the clock of the database.
create function window_now(every text, zone text, out begins timestamptz, out ends timestamptz) language sql stable as $$
  select date_trunc(every, now() at time zone zone) at time zone zone,
         (date_trunc(every, now() at time zone zone) + ('1 ' || every)::interval) at time zone zone
$$;

-- Holds tokens and money for calls, each in all of its windows or in none. `asked`: {"ledger", "aliveMs",
-- "windows": [{"workspace", "scope", "holder", "unit", "every", "zone", "allowed"}], "holds": [{"id", "windows": indexes
-- from 0, "prompt", "most", "least", prices in millionths of a dollar for a million tokens, …}]}. Answers for each hold
-- {"most"}, or {"short"}: the window that is in the way. Asked again with the same id it answers the same.
-- Whoever locks windows locks them in the order of their keys.
create function reserve_spend(asked jsonb) returns jsonb language plpgsql as $$
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
      -- A budget that is set in the middle of a window counts what was spent in it before; of a team nobody can tell.
      insert into budgets (workspace, scope, holder, unit, every, begins, ends, allowed, used)
      select one.workspace, one.scope, one.holder, one.unit, one.every, one.begins, one.ends, one.allowed,
             coalesce(sum(case one.unit when 'tokens' then s.tokens else s.cost end), 0)
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

-- Turns what was held into what was used: once for each call, whatever comes twice. A call that was taken for dead and
-- settles after all is charged the difference. Runs that wait for something held are woken, the first few of them.
create function settle_spend(asked jsonb, into_state text) returns void language plpgsql as $$
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

  insert into wakeups (run, id, lane)
  select r.id, gen_random_uuid(), r.lane from runs r join budgets b on b.workspace = r.workspace
  where b.id = any(ids) and r.active and r.waits ->> 'for' = 'budget' and r.waits ->> 'key' = b.key || ':held'
  order by r.created_at limit 8
  on conflict (run) do nothing;
end
$$;

-- Charges what is held by processes that are gone the least it can have cost, and frees the rest. Answers how many.
create function sweep_spend(most int) returns int language plpgsql as $$
declare
  dead jsonb;
begin
  select jsonb_agg(jsonb_build_object('id', id, 'tokens', least_tokens, 'cost', least_cost, 'prompt', prompt,
                                      'completion', least_tokens - prompt, 'cached', 0, 'sure', false))
  into dead from (
    select s.* from spend s
    where s.state = 'held' and (s.begun_at < now() - interval '3 hours'
      or not exists (select from ledgers l where l.id = s.ledger and l.alive_until > now()))
    order by s.id limit most for update of s skip locked
  ) s;
  delete from ledgers where alive_until < now() - interval '1 day';
  if dead is null then return 0; end if;
  perform settle_spend(dead, 'swept');
  return jsonb_array_length(dead);
end
$$;
