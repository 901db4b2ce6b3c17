-- The ledger finds rows by their keys. A session keeps the plans it made when the tables were small, and on the embedded
-- database nothing ever has it make new ones: it must not learn to read whole tables.
alter function settle_spend(jsonb, text) set enable_seqscan = off;
alter function settle_spend(jsonb, text) set enable_hashjoin = off;
alter function settle_spend(jsonb, text) set enable_mergejoin = off;
alter function reserve_spend(jsonb) set enable_seqscan = off;
alter function sweep_spend(int) set enable_seqscan = off;
