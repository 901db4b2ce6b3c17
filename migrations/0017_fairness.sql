-- Who waits whose turn it is: each person's wake-ups, the oldest question first, whenever it was woken.
alter table wakeups add column workspace text, add column person text,
  add column asked_at timestamptz not null default now(),
  -- Which place in the line the thread was told last, and when.
  add column place int, add column placed_at timestamptz;
update wakeups w set workspace = r.workspace, person = r.asker, asked_at = r.created_at from runs r where r.id = w.run;
alter table wakeups alter column workspace set not null, alter column person set not null;
drop index wakeups_waiting;
create index wakeups_in_line on wakeups (workspace, lane, person, asked_at, run) where dispatched_at is null;
create index wakeups_under_way on wakeups (workspace) where dispatched_at is not null;

-- Virtual time, in tokens, for fair turns. A person in a lane: what they were given is paid for at `finish`. The lane
-- itself (person ''): its own `finish`, and the `clock` of its people. The workspace (lane '' too): the clock of lanes.
-- `tokens`: what a wake-up of theirs used lately, in the mean.
create table shares (
  workspace text not null,
  lane text not null,
  person text not null,
  clock double precision not null default 0,
  finish double precision not null default 0,
  tokens double precision,
  used_at timestamptz not null default now(),
  primary key (workspace, lane, person)
);

-- How long a wake-up occupies a slot of this worker lately, in ms, in the mean.
alter table workers add column ms double precision;
