-- store::groups::count_ambiguous
-- Feedback under aliases that several completions carry, where one of them answers a prompt that is read. From the aliases
-- on, which are few where they are shared, and look-up by look-up (`offset 0`), as pages of prompts are read.
--   $1 project   $2 to $8 the selection, as in list_prompts.sql
with shared as materialized (
    select r.alias, r.completion_id
      from resolved_aliases r
     where r.project_id = $1
       and r.is_shared
),
read as (
    select distinct s.alias
      from shared s
     cross join lateral (
               select c.prompt_hash
                 from completions c
                where c.project_id = $1
                  and c.completion_id = s.completion_id
               offset 0
           ) answer
     where exists (
               select
                 from completions c
                where c.project_id = $1
                  and c.prompt_hash = answer.prompt_hash
                  and ($2::text[] is null or c.model = any ($2))
                  and ($3::text is null or c.experiment = $3)
                  and ($4::text[] is null or c.variant = any ($4))
                  and ($5::text[] is null or c.task = any ($5))
                  and ($6::text[] is null or c.language = any ($6))
                  and ($7::timestamptz is null or c.received_at >= $7)
                  and ($8::timestamptz is null or c.received_at < $8)
               offset 0
           )
)
select count(*)
  from read
 cross join lateral (
           select
             from feedback f
            where f.project_id = $1
              and f.completion_id = read.alias
           offset 0
       ) ambiguous
