-- Accounts that people, or a workspace, have connected to tool servers. What is secret is sealed: see store/seal.ts.

-- `person` is empty for the one that everybody in the workspace uses. `resource` is the address the tokens are for:
-- where mcp.json names another one they are not sent. `id` is new for every Connect, `version` for every renewal.
create table credentials (
  workspace text not null,
  server text not null,
  person text not null default '',
  resource text not null,
  id uuid not null,
  version int not null default 1,
  state text not null default 'connected' check (state in ('connected', 'expired')),
  sealed text not null,
  -- Until then one process alone renews it: a refresh token may be used once only.
  renewing_until timestamptz,
  connected_at timestamptz not null default now(),
  primary key (workspace, server, person)
);

-- One way through a browser: a link shown privately to one person, then what waits for the authorization server's
-- answer. Ticket, state and browser are kept as hashes only.
create table connects (
  ticket text primary key,
  workspace text not null,
  server text not null,
  person text not null,
  -- Who pressed Connect; the same as `person` unless it is for the workspace.
  asker text not null,
  resource text not null,
  expires_at timestamptz not null,
  state text unique,
  browser text,
  sealed text,
  finished_at timestamptz
);
create index connects_expired on connects (expires_at);

-- What an authorization server calls us, where we registered ourselves.
create table registrations (
  workspace text not null,
  server text not null,
  resource text not null,
  redirect text not null,
  sealed text not null,
  primary key (workspace, server)
);
