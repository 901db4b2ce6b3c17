-- Steps quote what stands around a passage too, by the id of the passage it is: it goes when that passage goes.

drop index steps_passages;
create index steps_passages on steps using gin (jsonb_path_query_array(body, '$.passages.**.passage'))
  where kind = 'recalled';

create function without_around(passage jsonb, gone jsonb) returns jsonb language sql immutable as $$
  select case when passage ? 'around' then jsonb_set(passage, '{around}', (
      select coalesce(jsonb_agg(a order by n), '[]')
      from jsonb_array_elements(passage -> 'around') with ordinality as e (a, n)
      where not gone ? (a ->> 'passage')))
    else passage end
$$;

create or replace function without_passages(passages jsonb, gone jsonb) returns jsonb language sql immutable as $$
  select coalesce(jsonb_agg(case
    when not gone ? (p ->> 'passage') then without_around(p, gone)
    when gone -> (p ->> 'passage') = 'null'
      then p - 'link' - 'date' - 'source' - 'around' || '{"title": "(removed)", "heading": "", "text": "(removed)"}'
    else p - 'around' || jsonb_build_object('title', gone -> (p ->> 'passage'), 'heading', '', 'text', '(removed)')
  end order by n), '[]') from jsonb_array_elements(passages) with ordinality as e (p, n)
$$;

create or replace function forget_quotes() returns trigger language plpgsql as $$
declare
  gone jsonb;
begin
  select jsonb_object_agg(o.id, d.title) into gone from old_passages o left join documents d on d.id = o.document;
  if gone is null then return null; end if;
  update steps set body = jsonb_set(body, '{passages}', without_passages(body -> 'passages', gone))
  where kind = 'recalled'
    and jsonb_path_query_array(body, '$.passages.**.passage') ?| array(select jsonb_object_keys(gone));
  return null;
end $$;
