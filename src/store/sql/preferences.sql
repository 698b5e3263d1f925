-- store::tallies::preferences
-- Direct choices between an answer of the control and one of the candidate, told from the candidate's side. The latest
-- of a user for a pair is the one that counts. From the choices on: they are few, and answers are many. Answers that were
-- shown side by side belong to no variant, but to a model.
--   $1 project   $2 experiment key or null   $3 name of the control (variant or model)   $4 of the candidate
--   $5 tasks   $6 languages   $7 from   $8 to   $9 model declared for the control or null   $10 for the candidate
--   $11 whether the unverified count, too
with voiced as materialized (
    select r.completion_id, r.feedback_id, r.supersedes, r.against, r.outcome, r.effective_at, r.received_at,
           r.granted_conversation_id, r.user_id,
           coalesce('u:' || r.user_id, 'f:' || r.feedback_id::text) as author,
           case when r.session_id is not null then r.seq end as seq,
           case when r.seq is null or r.session_id is null then 'f:' || r.feedback_id::text
                else 's:' || r.session_id end as session
      from feedback r
     where r.project_id = $1
       and r.signal = 'preference'
       and ($11 or r.trust = 'verified')
),
mentioned as (
    select t.completion_id as name from voiced t
     union
    select t.against from voiced t
),
-- By its own id or by an alias. Ids are looked up as the first that is not smaller, as in resolved_aliases.
ids as materialized (
    select m.name as completion_id from mentioned m
     union
    select r.completion_id
      from mentioned m
     cross join lateral (
               select *
                 from resolved_aliases i
                where i.project_id = $1
                  and i.alias = m.name
                  and not i.is_shared
               offset 0
           ) r
),
selected as (
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
      from ids i
     cross join lateral (
               select *
                 from completions l
                where l.project_id = $1
                  and l.completion_id >= i.completion_id
                order by l.completion_id
                limit 1
           ) c
     where c.completion_id = i.completion_id
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
filed as materialized (
    select n.completion_id, n.prompt_hash, n.side, t.feedback_id, t.supersedes, t.against, t.outcome, t.effective_at,
           t.received_at, t.granted_conversation_id, t.user_id, t.author, t.seq, t.session
      from named n
      join voiced t on t.completion_id = n.name
     where $11
        or t.granted_conversation_id is null
        or t.granted_conversation_id = n.conversation_id
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
