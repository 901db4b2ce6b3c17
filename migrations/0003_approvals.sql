-- Approvals by several people, from groups, in batches; edited and run again; remembered.

alter table approvals
  -- Whoever approves must stand in each list: [["requester", "S0ONCALL"], ["U0CHLOE"]].
  alter column approvers type jsonb using jsonb_build_array(to_jsonb(approvers)),
  -- How many different people must approve, whether whoever asked may be one of them, and who has.
  add column need int not null default 1 check (need between 1 and 5),
  add column self_approve boolean not null default true,
  add column votes text[] not null default '{}',
  -- Approvals on one card.
  add column batch uuid,
  -- For how long, and for whom, an approval also holds for the same call again: {"scope", "ttlMs"}.
  add column remember jsonb,
  -- What else is hashed of a call that may be remembered: everything but its run and its id, and the terms.
  add column bound text,
  -- What a person said of an outcome that is unknown, or that nobody said anything in time.
  add column resolved text check (resolved in ('done', 'not-done', 'again', 'expired'));
create index approvals_pending on approvals (workspace, expires_at) where state = 'pending';
create index approvals_of_a_batch on approvals (batch) where batch is not null;

-- An approval that also holds for the same call again. `bound` is the hash of server, definition,
-- policy, arguments and terms.
create table grants (
  id uuid primary key,
  workspace text not null,
  bound text not null,
  -- Either a thread ("C…:ts") or a person.
  scope text not null check (scope in ('thread', 'user')),
  holder text not null,
  tool text not null,
  approval uuid not null references approvals (id) on delete cascade,
  given_by text[] not null,
  given_at timestamptz not null default now(),
  expires_at timestamptz not null,
  voided_at timestamptz
);
create index grants_by_call on grants (workspace, bound, scope, holder);
