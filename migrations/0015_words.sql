-- Words: stems in the language of each document, what each word weighs in a passage, how frequent words are.

-- The text search configuration that a document's words are stemmed with; `simple` where its language is unknown.
alter table documents add column stemmer text not null default 'english';

alter table passages
  -- The passage's words as they are indexed: stems without stop words, each as often as it occurs.
  add column terms text,
  -- By the number of a term (store/words.ts): what it adds to the passage's BM25 where its rarity is 1.
  add column impact sparsevec;
update passages p set
  terms = coalesce((select rtrim(string_agg(repeat(l.lexeme || ' ', cardinality(l.positions)), ''))
    from unnest(to_tsvector('english', p.search_text)) l), ''),
  impact = (select ('{' || coalesce(string_agg(t.number || ':' || (t.tf * 2.2 / (t.tf + 1.2 * (0.25 + 0.75 * t.length / 60.0)))::real, ','), '')
      || '}/268435456')::sparsevec
    from (select ('x' || left(md5(l.lexeme), 7))::bit(28)::int + 1 as number, sum(cardinality(l.positions)) as tf,
        sum(sum(cardinality(l.positions))) over () as length
      from unnest(to_tsvector('english', p.search_text)) l group by 1) t);
drop index if exists passages_bm25;
alter table passages drop column tsv, drop column search_text,
  alter column terms set not null, alter column impact set not null;
alter table passages add column tsv tsvector not null generated always as (to_tsvector('simple', terms)) stored;
create index passages_tsv on passages using gin (tsv);

-- How many passages of a workspace hold a word, counted now and then, from a sample where there are many. The row of
-- the empty word counts all passages. A word that is missing is rare.
create table words (
  workspace text not null,
  word text not null,
  passages int not null,
  primary key (workspace, word)
);

-- How much there is to read, counted now and then: it decides how a search goes about it, never what it finds.
create table holdings (
  workspace text not null,
  audience int not null,
  source text not null,
  stemmer text not null,
  passages int not null,
  primary key (workspace, audience, source, stemmer)
);
