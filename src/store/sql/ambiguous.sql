-- store::tallies::count_ambiguous
-- Reactions that are filed under an alias which several completions carry, where one of them is compared. Parameters as in
-- answers.sql, without the unit.
with aliases as materialized (
    select distinct r.alias as name
      from completions c
     cross join unnest(c.aliases) as told (name)
     cross join lateral (
               select *
                 from resolved_aliases i
                where i.project_id = $1
                  and i.alias = told.name
                  and i.completion_id = c.completion_id
                  and i.is_shared
               offset 0
           ) r
     where c.project_id = $1
       and c.aliases is not null
       and (case when $2::text is null then c.model in ($3, $4)
                 else c.experiment = $2 and c.variant in ($3, $4) end)
       and ($5::text[] is null or c.task = any ($5))
       and ($6::text[] is null or c.language = any ($6))
       and ($7::timestamptz is null or c.received_at >= $7)
       and ($8::timestamptz is null or c.received_at < $8)
)
select count(*)
  from aliases a
 cross join lateral (
           select
             from feedback f
            where f.project_id = $1
              and f.completion_id = a.name
           offset 0
       ) ambiguous
