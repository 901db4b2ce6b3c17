-- Where the app is installed by its own page. What is secret is sealed: see store/seal.ts.

-- One row for what Slack gave a token for: a workspace (T…), or an organisation and all its workspaces (E…). A row
-- stays after the app was removed, without its token: whoever had it may install it again.
create table installs (
  holder text primary key,
  name text not null,
  app text not null,
  -- who allowed it
  person text not null,
  -- refused: Slack renews its token no more, so it has to be installed again before the last one ends
  state text not null check (state in ('installed', 'refused', 'removed')),
  -- new for every installation; `version` for every renewal of its token
  id uuid not null,
  version int not null default 1,
  sealed text,
  -- when the token ends; without rotation never
  expires_at timestamptz,
  -- until then one process alone renews it: a refresh token may be used once only
  renewing_until timestamptz,
  installed_at timestamptz not null default now(),
  check ((state = 'removed') = (sealed is null))
);

-- The workspaces that are served, and by whose token: their own, or their organisation's.
create table workspaces (
  workspace text primary key,
  holder text not null references installs on delete cascade,
  name text not null
);
create index workspaces_holder on workspaces (holder);

-- Invitations and answers that were used up, until their time would be over anyway.
create table spent (
  nonce text primary key,
  until timestamptz not null
);
