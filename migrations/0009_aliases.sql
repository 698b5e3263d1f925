-- Who carries an alias has to be found from the alias, in the middle of a look-up of one completion. An index on the
-- array cannot tell: behind row-level security Postgres uses an index only with operators that it knows to leak nothing,
-- and those of arrays are not among them.
create table completion_aliases (
    project_id    uuid not null,
    alias         text not null,
    completion_id text not null,
    constraint completion_aliases_pkey primary key (project_id, alias, completion_id),
    -- Both tables have the project and the completion in their keys, so that they can be distributed together (KEY-1).
    -- From here on until the migration ends nobody else writes completions, so that none is missed by what follows.
    constraint completion_aliases_completion_fkey foreign key (project_id, completion_id)
        references completions (project_id, completion_id) on delete cascade
);

comment on table completion_aliases is 'Aliases of completions, to be found by; written with the completion, gone with it.';
comment on column completion_aliases.project_id is 'Project of the completion.';
comment on column completion_aliases.alias is 'One of its `aliases`.';
comment on column completion_aliases.completion_id is 'The completion that carries it; several may carry one.';

alter table completion_aliases enable row level security;
alter table completion_aliases force row level security;
create policy completion_aliases_of_transaction on completion_aliases
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on completion_aliases to afterword_app;

-- Row-level security holds whoever migrates, too: these statements see every project, and only they.
select set_config('app.scope', 'operator', true);
select set_config('app.project_ids', (select string_agg(project_id::text, ',') from projects), true);
insert into completion_aliases (project_id, alias, completion_id)
select distinct c.project_id, told.name, c.completion_id
  from completions c
 cross join unnest(c.aliases) as told (name)
 where c.aliases is not null;
select set_config('app.project_ids', '', true), set_config('app.scope', '', true);

-- What an alias means, said once (LATE-3): nothing where it is some completion's own id, and nothing where several carry
-- it. The id is looked up as the first one that is not smaller: without statistics the planner takes any index that begins
-- with the project for a look-up by equality, and an order is had from the primary key alone. `offset 0` keeps the other
-- look-up one by one, too, whatever the planner believes about tables that were filled a moment ago.
create view resolved_aliases
    with (security_invoker = true) as
select a.project_id, a.alias, a.completion_id,
       exists (
           select
             from completion_aliases o
            where o.project_id = a.project_id
              and o.alias = a.alias
              and o.completion_id <> a.completion_id
           offset 0
       ) as is_shared
  from completion_aliases a
 where a.alias is distinct from (
           select o.completion_id
             from completions o
            where o.project_id = a.project_id
              and o.completion_id >= a.alias
            order by o.completion_id
            limit 1
       );

comment on view resolved_aliases is 'Aliases that are nobody''s own id; only one that is not shared names its completion.';
grant select on resolved_aliases to afterword_app;
