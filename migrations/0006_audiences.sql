-- Who may read a document, as a number: a distinct set of scopes is kept once, and recall compares numbers.
-- A row never changes what it means; a document that others may read now points at another row.
create table audiences (
  id int generated always as identity primary key,
  workspace text not null,
  -- any one of these suffices; sorted, without doubles
  scopes text[] not null check (cardinality(scopes) > 0),
  unique (workspace, scopes)
);

insert into audiences (workspace, scopes)
  select distinct d.workspace, array(select distinct s from unnest(d.audience) s order by s) from documents d;
alter table documents rename column audience to scopes;
alter table documents add column audience int references audiences;
update documents d set audience = a.id from audiences a
  where a.workspace = d.workspace
    and a.scopes = array(select distinct s from unnest(d.scopes) s order by s);
alter table documents alter column audience set not null;
alter table documents drop column scopes;
create index documents_audience on documents (audience);
