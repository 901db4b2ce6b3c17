-- Who is who in a workspace and who is in what, as Slack told: what readers of a reply are held against.
-- `known_at` is when Slack was asked, `doubted_at` when it last said that something there changed: what is
-- known counts only where it was asked for after that.

create table people (
  workspace text not null,
  id text not null,
  -- a full member of the workspace, a guest, somebody of another workspace, a bot, or a closed account
  kind text not null check (kind in ('full', 'guest', 'external', 'bot', 'gone')),
  known_at timestamptz,
  doubted_at timestamptz,
  primary key (workspace, id)
);
create index people_full on people (workspace) where kind = 'full';

-- `everyone` (its members are the full people above), `channel:C…`, `group:S…`.
create table scopes (
  workspace text not null,
  scope text not null,
  -- any full member may open it, whether they are in it or not: a public channel
  open boolean not null default false,
  size int not null default 0,
  -- when somebody last began to ask for it, so that one does where many could
  asked_at timestamptz,
  known_at timestamptz,
  doubted_at timestamptz,
  primary key (workspace, scope)
);

create table members (
  workspace text not null,
  scope text not null,
  person text not null,
  primary key (workspace, scope, person),
  foreign key (workspace, scope) references scopes on delete cascade
);
create index members_person on members (workspace, person);
