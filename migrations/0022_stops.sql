-- The last stop of each thread, kept so that one that is heard before what it stops still stops it: messages up to
-- `until`, a message's ts, are covered. `met` once a run was stopped by it.
create table stops (
  workspace text not null,
  channel text not null,
  thread text not null,
  until numeric not null,
  by text not null,
  why text not null,
  met boolean not null default false,
  at timestamptz not null default now(),
  primary key (workspace, channel, thread)
);
create index stops_at on stops (workspace, at);
