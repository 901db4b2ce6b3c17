-- Channels of Slack as a source of knowledge: what was said in them, and how far that has been read.

create table followed (
  workspace text not null,
  channel text not null,
  -- Names this following: whoever is told of it is told once.
  id uuid not null default gen_random_uuid(),
  source text not null,
  name text not null,
  private boolean not null,
  -- archived: kept, and nothing new comes; left: we may not read it any more, and all of it is being forgotten
  state text not null default 'followed' check (state in ('followed', 'archived', 'left')),
  -- The channel was told that it is read; nothing is read before.
  announced_at timestamptz,
  -- When somebody last heard what is said here. A gap is read again.
  listened_at timestamptz not null default now(),
  -- When it was last read from end to end.
  walked_at timestamptz,
  -- Somebody is reading it until then, or nobody tries before.
  busy_until timestamptz not null default now(),
  -- Why it cannot be read at the moment, in words for people.
  problem text,
  primary key (workspace, channel)
);

-- A stretch of history that is to be read, from `at` (a message's ts; null: now) back to `floor`.
create table walks (
  workspace text not null,
  channel text not null,
  floor text collate "C" not null,
  at text collate "C",
  primary key (workspace, channel, floor),
  foreign key (workspace, channel) references followed on delete cascade
);

-- One message of a person, or of another app. What is gone stays for a day, without words, so that a late delivery
-- does not bring it back.
create table turns (
  workspace text not null,
  channel text not null,
  ts text collate "C" not null,
  thread text collate "C",
  author text not null,
  app boolean not null,
  text text not null,
  edited text collate "C" not null default '',
  -- The document it is part of, within its source; null: of none.
  path text,
  heard_at timestamptz not null default now(),
  gone_at timestamptz,
  primary key (workspace, channel, ts),
  foreign key (workspace, channel) references followed on delete cascade
);
create index turns_of_a_document on turns (workspace, path, ts);
create index turns_of_a_thread on turns (workspace, channel, thread) where thread is not null;
create index turns_of_a_person on turns (workspace, author);

-- Threads, as history counted their replies when they were last read; to be read where `due_at` has come.
create table threads (
  workspace text not null,
  channel text not null,
  thread text collate "C" not null,
  replies int not null,
  latest text not null,
  due_at timestamptz,
  primary key (workspace, channel, thread),
  foreign key (workspace, channel) references followed on delete cascade
);
create index threads_due on threads (workspace, due_at) where due_at is not null;

-- Documents to be made anew from their turns.
create table rewrites (
  workspace text not null,
  channel text not null,
  path text not null,
  -- Raised with every asking: who made the document of an older one has not made it of the newest turns.
  version bigint not null default 1,
  asked_at timestamptz not null default now(),
  busy_until timestamptz not null default now(),
  primary key (workspace, path)
);

-- Where a passage can be opened by itself; null: where its document can.
alter table passages add column link text;
