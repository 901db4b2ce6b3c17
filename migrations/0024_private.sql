-- A question that only its asker sees: `reply` is the address that Slack gave with the command, where it is answered.
-- Null: the run has a thread.
alter table runs add column reply text;
