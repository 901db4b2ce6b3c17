-- A quote of a conversation keeps the path of it: by that what was made of it is found when somebody is forgotten.

create function without_quote(passage jsonb) returns jsonb language sql immutable as $$
  select passage - 'link' - 'date' - 'source' - 'around'
    - case when passage ->> 'path' ~ '^[A-Z0-9]+/(thread|talk)/' then '' else 'path' end
    || '{"title": "(removed)", "heading": "", "text": "(removed)"}'
$$;

create or replace function without_passages(passages jsonb, gone jsonb) returns jsonb language sql immutable as $$
  select coalesce(jsonb_agg(case
    when not gone ? (p ->> 'passage') then without_around(p, gone)
    when gone -> (p ->> 'passage') = 'null' then without_quote(p)
    else p - 'around' || jsonb_build_object('title', gone -> (p ->> 'passage'), 'heading', '', 'text', '(removed)')
  end order by n), '[]') from jsonb_array_elements(passages) with ordinality as e (p, n)
$$;
