-- store::tallies::preferences
-- Direct choices between an answer of the control and one of the candidate, told from the candidate's side. The latest
-- of a user for a pair is the one that counts. Parameters as in coverage.sql, and the models that were declared for the
-- variants, or null, as $9 and $10, whether the unverified count, too, as $11: answers that were shown side by side belong to no variant, but to a model.
with selected as (
    select c.completion_id,
           c.conversation_id,
           c.prompt_hash,
           c.user_id,
           array_append(case when c.aliases is null then '{}' else array(
               select distinct told.name
                 from unnest(c.aliases) as told (name)
                where exists (
                          select
                            from resolved_aliases r
                           where r.project_id = $1
                             and r.alias = told.name
                             and r.completion_id = c.completion_id
                             and not r.is_shared
                          offset 0
                      )
           ) end, c.completion_id) as names,
           case when $2::text is null then (c.model <> $3)::integer
                when c.variant is null then (c.model <> $9::text)::integer
                else (c.variant <> $3)::integer end as side
      from completions c
     where c.project_id = $1
       and (case when $2::text is null then c.model in ($3, $4)
                 else (c.experiment = $2 and c.variant in ($3, $4))
                   or (c.variant is null and $9::text <> $10::text and c.model in ($9, $10)) end)
       and ($5::text[] is null or c.task = any ($5))
       and ($6::text[] is null or c.language = any ($6))
       and ($7::timestamptz is null or c.received_at >= $7)
       and ($8::timestamptz is null or c.received_at < $8)
),
named as (
    select s.completion_id, s.conversation_id, s.prompt_hash, s.side, unnest(s.names) as name
      from selected s
),
-- As in turns.sql.
filed as materialized (
    select n.completion_id, n.prompt_hash, n.side, f.feedback_id, f.supersedes, f.against, f.outcome, f.effective_at,
           f.received_at, f.granted_conversation_id, f.user_id,
           coalesce('u:' || f.user_id, 'f:' || f.feedback_id::text) as author,
           case when f.session_id is not null then f.seq end as seq,
           case when f.seq is null or f.session_id is null then 'f:' || f.feedback_id::text
                else 's:' || f.session_id end as session
      from named n
     cross join lateral (
               select *
                 from feedback r
                where r.project_id = $1
                  and r.completion_id = n.name
                  and r.signal = 'preference'
                  and ($11 or (r.trust = 'verified'
                               and (r.granted_conversation_id is null
                                    or r.granted_conversation_id = n.conversation_id)))
               offset 0
           ) f
),
-- A token for one conversation does not vouch for the other answer either where that belongs to another one.
heard as (
    select f.*, b.completion_id as against_id, b.side as against_side, b.prompt_hash as against_prompt_hash
      from filed f
      left join named b on b.name = f.against
     where $11
        or f.granted_conversation_id is null
        or b.completion_id is null
        or b.conversation_id = f.granted_conversation_id
),
last_words as (
    select distinct on (least(h.completion_id, h.against_id), greatest(h.completion_id, h.against_id), h.author,
                        h.session)
           least(h.completion_id, h.against_id)    as one,
           greatest(h.completion_id, h.against_id) as other,
           h.author, h.effective_at, h.feedback_id, h.received_at,
           case
               when h.outcome = 'tie' or h.outcome = 'both_bad' then 'tie'
               when (h.outcome = 'better') = (h.side = 1) then 'win'
               else 'loss'
           end as choice
      from heard h
     where h.against_side <> h.side
       and h.against_prompt_hash = h.prompt_hash
       and not exists (
               select
                 from heard g
                where g.completion_id = h.completion_id
                  and g.supersedes = h.feedback_id
                  and (h.user_id is null or g.user_id = h.user_id)
           )
     order by least(h.completion_id, h.against_id), greatest(h.completion_id, h.against_id), h.author, h.session,
              h.seq desc, h.effective_at desc, h.feedback_id desc, h.received_at desc
),
choices as (
    select distinct on (w.one, w.other, w.author) w.choice
      from last_words w
     order by w.one, w.other, w.author, w.effective_at desc, w.feedback_id desc, w.received_at desc
)
select count(*) filter (where choice = 'win')  as n_wins,
       count(*) filter (where choice = 'loss') as n_losses,
       count(*) filter (where choice = 'tie')  as n_ties
  from choices
