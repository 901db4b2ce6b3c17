-- Vectors: one narrow table per embedding model, `emb_N`, made when the model is first used (store/vectors.ts).
-- Those of the one table before are not carried over: they do not say what made them well enough to be compared
-- with new ones. They are made again in the background; until then words are searched.

drop table vectors;

-- A model that vectors were made with. Its table is emb_<id>; the row goes with the table.
create table embedding_models (
  id integer primary key generated always as identity,
  name text not null,
  revision text not null,
  dimensions integer not null,
  -- what the table's column is
  type text not null check (type in ('vector', 'halfvec')),
  -- ISO 639 codes of the languages it knows; null is all
  languages text[],
  -- how it is reached, as models.yaml says it; null is the embedded one
  origin jsonb,
  -- its vector of a fixed text: a server that has another model under the same name answers another one
  probe real[] not null
);

-- What each workspace does with a model: at most one serves.
create table workspace_models (
  workspace text not null,
  model integer not null references embedding_models on delete cascade,
  state text not null check (state in ('building', 'serving', 'retired')),
  since timestamptz not null default now(),
  primary key (workspace, model),
  exclude using btree (workspace with =) where (state = 'serving') deferrable initially deferred
);

-- A passage that somebody is embedding (`claimed_until`), or that the model does not take (`refused` says why).
create table vector_claims (
  passage uuid not null references passages on delete cascade,
  model integer not null references embedding_models on delete cascade,
  claimed_until timestamptz,
  refused text,
  primary key (passage, model)
);
