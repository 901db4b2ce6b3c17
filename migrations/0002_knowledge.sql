-- Knowledge: documents, their passages, and the passages' vectors, one per embedding model.

create extension if not exists vector;

-- The audience stands here and nowhere else: whoever reads passages or vectors joins the document,
-- so there is no copy that could say otherwise.
create table documents (
  id uuid primary key default gen_random_uuid(),
  workspace text not null,
  source text not null,
  path text not null,
  title text not null,
  link text,
  date date,
  -- of what it was read from; equal means there is nothing to cut or to embed again
  hash text not null,
  -- scopes, any one of which suffices to read it
  audience text[] not null check (cardinality(audience) > 0),
  updated_at timestamptz not null default now(),
  unique (workspace, source, path)
);

create table passages (
  id uuid primary key default gen_random_uuid(),
  document uuid not null references documents on delete cascade,
  n integer not null,
  -- of what the embedding model reads; a passage that stays the same keeps its id and its vectors
  hash text not null,
  heading text not null,
  text text not null,
  -- offsets in the document's text, in UTF-16 units
  start_at integer not null,
  end_at integer not null,
  -- title, headings and text as plain words, identifiers taken apart
  search_text text not null,
  -- English stems for every text; other languages are still found by their exact words
  tsv tsvector not null generated always as (to_tsvector('english', search_text)) stored,
  unique (document, n) deferrable initially deferred
);
create index passages_tsv on passages using gin (tsv);

-- A row without an embedding is a claim: somebody is making it, or nobody can (`refused` says why).
create table vectors (
  passage uuid not null references passages on delete cascade,
  model text not null,
  -- the passage's, which never changes: it saves reading the wide passages to find the audience
  document uuid not null,
  dimensions integer,
  embedding vector,
  claimed_until timestamptz,
  refused text,
  primary key (passage, model)
);
create index vectors_document on vectors (document);
