-- What people thought of a run: pressed under its answer (one rating a person, the last press counts), with what was
-- wrong and a note, and what they did instead of saying it.
create table feedback (
  workspace text not null,
  run uuid not null references runs (id) on delete cascade,
  person text not null,
  signal text not null check (signal in ('up', 'down', 'rephrased', 'followed-up', 'abandoned', 'edited', 'denied')),
  category text,
  note text,
  at timestamptz not null,
  primary key (run, person, signal)
);
create unique index feedback_one_rating on feedback (run, person) where signal in ('up', 'down');
create index feedback_lately on feedback (workspace, at);
