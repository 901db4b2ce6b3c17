-- Why a run waits though no person has to decide anything: {"for", "key", "until", "text"}. What ends the wait
-- finds its runs by workspace, `for` and `key`; taking the lease clears it.
alter table runs add column waits jsonb;
create index runs_waiting on runs (workspace, (waits ->> 'for'), (waits ->> 'key')) where waits is not null;
