-- The runtime: what was heard, runs and their steps, approvals, wake-ups, what was said.

-- What was heard from Slack, written before it is acknowledged. The key is equal for
-- every delivery of the same thing, so a repeated delivery finds its row already there.
create table inbox (
  key text primary key,
  workspace text not null,
  heard jsonb not null,
  received_at timestamptz not null default now(),
  handled_at timestamptz,
  attempts int not null default 0,
  due_at timestamptz not null default now()
);
create index inbox_waiting on inbox (due_at) where handled_at is null;

-- One run a question. `n` is the number of its last step; `due_at` is when somebody must look
-- at it if nobody holds the lease (null: only a person's move can continue it). `failures` counts
-- attempts to advance it that broke since its last step.
create table runs (
  id uuid primary key,
  workspace text not null,
  channel text not null,
  thread text not null,
  message text not null,
  asker text not null,
  agent text not null,
  dm boolean not null,
  lane text not null default 'interactive' check (lane in ('interactive', 'long', 'background')),
  n int not null default 0,
  active boolean not null default true,
  due_at timestamptz,
  lease_owner uuid,
  lease_epoch int not null default 0,
  lease_until timestamptz,
  failures int not null default 0,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  unique (workspace, channel, message)
);
create unique index runs_one_active_a_thread on runs (workspace, channel, thread) where active;
create index runs_of_a_thread on runs (workspace, channel, thread, created_at);
create index runs_due on runs (due_at) where active;

create table steps (
  run uuid not null references runs (id) on delete cascade,
  n int not null,
  kind text not null,
  body jsonb not null,
  primary key (run, n)
);

-- Every tool call a model proposed, bound to the hash of exactly what will be executed.
create table approvals (
  id uuid primary key,
  run uuid not null references runs (id) on delete cascade,
  workspace text not null,
  call text not null,
  tool text not null,
  server text not null,
  args jsonb not null,
  hash text not null,
  asker text not null,
  approvers text[] not null,
  state text not null check (state in
    ('denied', 'allowed', 'pending', 'approved', 'rejected', 'expired', 'void',
     'executing', 'succeeded', 'failed', 'unknown')),
  expires_at timestamptz not null,
  decided_by text,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  unique (run, call)
);
create index approvals_of_a_run on approvals (run);

-- The outbox: at most one waiting wake-up a run. `id` is new for every wake-up.
create table wakeups (
  run uuid primary key references runs (id) on delete cascade,
  id uuid not null unique,
  lane text not null,
  created_at timestamptz not null default now(),
  dispatched_at timestamptz
);
create index wakeups_waiting on wakeups (created_at) where dispatched_at is null;

-- What was said in Slack, so that nothing is said twice: `ts` is null between the intent and the post.
create table posts (
  owner text not null,
  part text not null,
  channel text not null,
  ts text,
  begun_at timestamptz not null default now(),
  primary key (owner, part)
);

-- Processes that advance the runs of a workspace, and how many at once.
create table workers (
  id uuid primary key,
  workspace text not null,
  slots int not null,
  host text not null,
  pid int not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);
