-- What one person asked, the newest first: their runs under way, and what they asked just before.
create index runs_of_a_person on runs (workspace, asker, created_at);
