-- store::tallies::coverage
-- What the comparison stands on: its window, how many days of it had turns, and what was left out. Parameters as in
-- turns.sql, without the unit. A day is the day on which an answer was made: rows that are loaded afterwards cover the
-- days that they tell of. No answer was made after it arrived.
with selected as (
    select c.completion_id,
           c.conversation_id,
           case when (case when $2::text is null then c.model else c.variant end) = $3 then 0 else 1 end as side,
           least(coalesce(c.created_at, c.received_at), c.received_at) as made_at,
           c.aliases
      from completions c
     where c.project_id = $1
       and (case when $2::text is null then c.model in ($3, $4)
                 else c.experiment = $2 and c.variant in ($3, $4) end)
       and ($5::text[] is null or c.task = any ($5))
       and ($6::text[] is null or c.language = any ($6))
       and ($7::timestamptz is null or c.received_at >= $7)
       and ($8::timestamptz is null or c.received_at < $8)
),
aliases as materialized (
    select distinct r.alias as name, r.is_shared, s.completion_id, s.conversation_id
      from selected s
     cross join unnest(s.aliases) as told (name)
     cross join lateral (
               select *
                 from resolved_aliases i
                where i.project_id = $1
                  and i.alias = told.name
                  and i.completion_id = s.completion_id
               offset 0
           ) r
)
select min(s.made_at) as first_at,
       max(s.made_at) as last_at,
       count(distinct (s.made_at at time zone 'utc')::date) as n_days,
       (select count(*)
          from (select
                  from selected d
                 group by (d.made_at at time zone 'utc')::date
                having count(distinct d.side) = 2) both_sides) as n_days_both,
       (select count(*)
          from (select t.completion_id as name, t.conversation_id from selected t
                 union all
                select a.name, a.conversation_id from aliases a where not a.is_shared) n
         cross join lateral (
                   select
                     from feedback f
                    where f.project_id = $1
                      and f.completion_id = n.name
                      and not (f.trust = 'verified'
                               and (f.granted_conversation_id is null
                                    or f.granted_conversation_id is not distinct from n.conversation_id))
                   offset 0
               ) unverified) as n_unverified,
       (select count(*)
          from (select distinct a.name from aliases a where a.is_shared) n
         cross join lateral (
                   select
                     from feedback f
                    where f.project_id = $1
                      and f.completion_id = n.name
                   offset 0
               ) ambiguous) as n_ambiguous
  from selected s
