-- What was settled for a channel in Slack, every time anew: the newest row of a channel holds, the others tell who
-- changed what.
create table settings (
  id bigint generated always as identity primary key,
  workspace text not null,
  channel text not null,
  settings jsonb not null,
  changed_by text not null,
  changed_at timestamptz not null default now()
);
create index settings_of_a_channel on settings (workspace, channel, id desc);
