-- store::completions::insert_aliases
insert into completion_aliases (project_id, alias, completion_id)
select i.project_id, i.alias, i.completion_id
  from unnest($1::uuid[], $2::text[], $3::text[]) as i (project_id, alias, completion_id)
