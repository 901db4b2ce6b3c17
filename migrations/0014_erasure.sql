-- What steps quote of a passage is kept as long as the passage: where it is deleted, in whatever way, its text is
-- taken out of every step that holds it. Steps stay where they are, with their numbers.

create index steps_passages on steps using gin (jsonb_path_query_array(body, '$.passages[*].passage'))
  where kind = 'recalled';

-- A passage of a document that is still there was rewritten: the document keeps its name as it is now and its place.
create function without_passages(passages jsonb, gone jsonb) returns jsonb language sql immutable as $$
  select coalesce(jsonb_agg(case
    when not gone ? (p ->> 'passage') then p
    when gone -> (p ->> 'passage') = 'null' then p - 'link' - 'date' || '{"title": "(removed)", "heading": "", "text": "(removed)"}'
    else p || jsonb_build_object('title', gone -> (p ->> 'passage'), 'heading', '', 'text', '(removed)')
  end order by n), '[]') from jsonb_array_elements(passages) with ordinality as e (p, n)
$$;

create function forget_quotes() returns trigger language plpgsql as $$
declare
  gone jsonb;
begin
  select jsonb_object_agg(o.id, d.title) into gone from old_passages o left join documents d on d.id = o.document;
  if gone is null then return null; end if;
  update steps set body = jsonb_set(body, '{passages}', without_passages(body -> 'passages', gone))
  where kind = 'recalled'
    and jsonb_path_query_array(body, '$.passages[*].passage') ?| array(select jsonb_object_keys(gone));
  return null;
end $$;

create trigger passages_forget_quotes after delete on passages
  referencing old table as old_passages for each statement execute function forget_quotes();

-- People whose messages were forgotten: what Slack still holds of them up to `until`, a message's ts, is not read again.
create table forgotten (
  workspace text not null,
  person text not null,
  until text collate "C" not null,
  primary key (workspace, person)
);
