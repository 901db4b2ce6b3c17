-- What one person likes: how much is shown of the work on their questions, and in which language they are answered
-- (null: that of the question). A run keeps what held when it was asked.
create table preferences (
  workspace text not null,
  person text not null,
  trace text not null check (trace in ('plan', 'line', 'none')),
  language text,
  changed_at timestamptz not null default now(),
  primary key (workspace, person)
);
