-- Conversations are found by their path alone, whichever source their channel is of now.

create index documents_path on documents (workspace, path text_pattern_ops);
-- The last change is asked for every few seconds.
create index documents_updated on documents (workspace, updated_at);

-- Channels that went over to another source left documents behind at the one before.
delete from documents d using followed f
where d.workspace = f.workspace and d.source <> f.source
  and (d.path like f.channel || '/thread/%' or d.path like f.channel || '/talk/%');
