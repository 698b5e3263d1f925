-- store::groups::list_prompts
-- Set by set and not row by row: a look for feedback at each completion would have to be cheap whatever the planner
-- knows, and behind row-level security it takes one for ten. The feedback may be on an answer beside the selected one: a
-- preference is filed under either of its two answers. An alias that names nothing (LATE-3) only brings a prompt whose
-- feedback then is counted as left out; to look each of them up would cost more than to read those prompts.
with selected as (
    select distinct c.prompt_hash
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
    select c.prompt_hash, c.completion_id as name, c.received_at
      from completions c
     where c.project_id = $1
     union all
    select c.prompt_hash, unnest(c.aliases), c.received_at
      from completions c
     where c.project_id = $1
       and c.aliases is not null
)
select n.prompt_hash
  from named n
  join selected s
    on s.prompt_hash = n.prompt_hash
  join feedback f
    on f.completion_id = n.name
 where f.project_id = $1
 group by n.prompt_hash
 order by min(n.received_at), n.prompt_hash
