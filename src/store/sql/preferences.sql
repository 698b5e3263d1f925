-- store::tallies::preferences
-- Direct choices between an answer of the control and one of the candidate, told from the candidate's side. The latest
-- of a user for a pair is the one that counts. Parameters as in coverage.sql.
with selected as (
    select c.completion_id,
           c.prompt_hash,
           c.user_id,
           array_append(coalesce(c.aliases, '{}'), c.completion_id) as names,
           case when (case when $2::text is null then c.model else c.variant end) = $3 then 0 else 1 end as side
      from completions c
     where c.project_id = $1
       and (case when $2::text is null then c.model in ($3, $4)
                 else c.experiment = $2 and c.variant in ($3, $4) end)
       and ($5::text[] is null or c.task = any ($5))
       and ($6::text[] is null or c.language = any ($6))
       and ($7::timestamptz is null or c.received_at >= $7)
       and ($8::timestamptz is null or c.received_at < $8)
),
choices as (
    select distinct on (least(a.completion_id, b.completion_id), greatest(a.completion_id, b.completion_id),
                        coalesce('u:' || f.user_id, 'f:' || f.feedback_id::text))
           case
               when f.outcome = 'tie' or f.outcome = 'both_bad' then 'tie'
               when (f.outcome = 'better') = (a.side = 1) then 'win'
               else 'loss'
           end as choice
      from selected a
      join feedback f
        on f.project_id = $1
       and f.completion_id = any (a.names)
       and f.signal = 'preference'
       and f.trust = 'verified'
      join selected b
        on f.against = any (b.names)
       and b.side <> a.side
       and b.prompt_hash = a.prompt_hash
     where not exists (
               select
                 from feedback g
                where g.project_id = f.project_id
                  and g.completion_id = any (a.names)
                  and g.supersedes = f.feedback_id
                  and g.trust = 'verified'
                  and (f.user_id is null or g.user_id = f.user_id)
           )
     order by least(a.completion_id, b.completion_id), greatest(a.completion_id, b.completion_id),
              coalesce('u:' || f.user_id, 'f:' || f.feedback_id::text),
              f.effective_at desc, f.session_id collate "C" desc nulls last, f.seq desc nulls last, f.feedback_id desc
)
select count(*) filter (where choice = 'win')  as n_wins,
       count(*) filter (where choice = 'loss') as n_losses,
       count(*) filter (where choice = 'tie')  as n_ties
  from choices
