-- Pages of the web that are a source: what is remembered of each, so that it need not be sent again.
create table pages (
  workspace text not null,
  source text not null,
  url text not null,
  etag text,
  modified text,
  -- The document it is, within its source, and what that was made from.
  path text not null,
  fingerprint text not null,
  date date,
  primary key (workspace, source, url)
);
