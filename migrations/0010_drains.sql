-- Replicas of pools that get no new calls, by their address; what they are doing they finish.
create table drains (
  url text primary key,
  since timestamptz not null default now()
);
