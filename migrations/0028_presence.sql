-- When somebody last listened to a workspace. What was said after `missed_from`, while nobody did, is still to be read;
-- `reading_until`: somebody is reading it.
create table presence (
  workspace text primary key,
  heard_at timestamptz not null default now(),
  missed_from timestamptz,
  reading_until timestamptz not null default now()
);
