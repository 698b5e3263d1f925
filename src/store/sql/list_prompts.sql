-- store::groups::list_prompts
-- Set by set and not row by row: a look for feedback at each completion would have to be cheap whatever the planner
-- knows, and behind row-level security it takes one for ten.
with selected as (
    select c.prompt_hash, c.completion_id, c.aliases
      from completions c
     where c.project_id = $1
       and ($2::text[] is null or c.model = any ($2))
       and ($3::text is null or c.experiment = $3)
       and ($4::text[] is null or c.variant = any ($4))
       and ($5::text[] is null or c.task = any ($5))
       and ($6::text[] is null or c.language = any ($6))
       and ($7::timestamptz is null or c.received_at >= $7)
       and ($8::timestamptz is null or c.received_at < $8)
),
named as (
    select s.prompt_hash, s.completion_id as name
      from selected s
     union all
    select s.prompt_hash, unnest(s.aliases)
      from selected s
     where s.aliases is not null
)
select distinct n.prompt_hash
  from named n
  join feedback f
    on f.completion_id = n.name
 where f.project_id = $1
 order by n.prompt_hash
