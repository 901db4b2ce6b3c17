-- How reading each source went the last time. Whoever reads holds the row for a short time, renewed while reading.
create table sources (
  workspace text not null,
  name text not null,
  held_by text,
  held_until timestamptz,
  -- the last attempt, and the last that went well
  tried_at timestamptz,
  read_at timestamptz,
  ms integer,
  added integer not null default 0,
  changed integer not null default 0,
  removed integer not null default 0,
  passages integer not null default 0,
  -- found in what was written, and not stored
  secrets integer not null default 0,
  -- [{"why", "count", "examples": [path, …]}], the most frequent first
  skipped jsonb not null default '[]',
  -- {path: {"hash", "why"}}: what could not be taken apart, so that it is not tried again while it is the same
  refused jsonb not null default '{}',
  -- why the last attempt failed; null where it went well
  error text,
  primary key (workspace, name)
);
