-- store::tallies::list
-- One row for each side and unit: its turns, and how many of them had which outcome.
--   $1 project       $2 experiment key or null   $3 name of the control (variant or model)   $4 of the candidate
--   $5 'user' or 'conversation'   $6 tasks   $7 languages   $8 from   $9 to
--   $10 model declared for the control or null   $11 for the candidate   $12 whether the unverified count, too
with recursive selected as (
    select c.completion_id,
           c.conversation_id,
           p.parent_completion_id,
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
           case when (case when $2::text is null then c.model else c.variant end) = $3 then 0 else 1 end as side,
           -- Where both variants have one model, or a variant has none, no answer is the other side's.
           $10::text <> $11::text
           and c.model = case when c.variant = $3 then $11::text else $10::text end                 as by_other_model,
           case
               when $5 = 'user' and c.user_id is not null then 'u:' || c.user_id
               when c.conversation_id is not null then 'c:' || c.conversation_id
               else 't:' || coalesce(p.parent_completion_id, c.completion_id)
           end as unit
      from completions c
     -- A parent may be told by an alias, too; its own alias makes no completion its own parent.
     cross join lateral (
               select nullif(coalesce((
                          select r.completion_id
                            from resolved_aliases r
                           where r.project_id = $1
                             and r.alias = c.parent_completion_id
                             and not r.is_shared
                      ), c.parent_completion_id), c.completion_id) as parent_completion_id
           ) p
     where c.project_id = $1
       and (case when $2::text is null then c.model in ($3, $4)
                 else c.experiment = $2 and c.variant in ($3, $4) end)
       and ($6::text[] is null or c.task = any ($6))
       and ($7::text[] is null or c.language = any ($7))
       and ($8::timestamptz is null or c.received_at >= $8)
       and ($9::timestamptz is null or c.received_at < $9)
),
-- A regeneration is an outcome of the turn that it regenerates, never a turn of its own. `union` and not `union all`:
-- a client's circle of parents must not run for ever. A regeneration by the other side is still the turn's outcome; what
-- was thought of that answer is neither side's, because the other side met this prompt only after a failure.
attempts as (
    select s.completion_id, s.completion_id as turn_id, s.conversation_id as turn_conversation_id, s.side as turn_side,
           s.side, s.by_other_model
      from selected s
     where s.parent_completion_id is null
        or not exists (select from selected p where p.completion_id = s.parent_completion_id)
     union
    select s.completion_id, a.turn_id, a.turn_conversation_id, a.turn_side, s.side, s.by_other_model
      from selected s
      join attempts a on a.completion_id = s.parent_completion_id
),
-- Read once, name by name. `offset 0` keeps the reading a look-up by primary key, whatever the planner believes about
-- tables that were filled a moment ago.
heard as materialized (
    select n.completion_id, f.feedback_id, f.supersedes, f.signal, f.thumb, f.comment, f.effective_at,
           f.received_at, f.user_id, coalesce('u:' || f.user_id, 'f:' || f.feedback_id::text) as author,
           case when f.session_id is not null then f.seq end as seq,
           -- An item that has no place in a session stands for itself.
           case when f.seq is null or f.session_id is null then 'f:' || f.feedback_id::text
                else 's:' || f.session_id end as session
      from (select s.completion_id, s.conversation_id, a.turn_conversation_id, unnest(s.names) as name
              from selected s
              join attempts a on a.completion_id = s.completion_id) n
     cross join lateral (
               select *
                 from feedback r
                where r.project_id = $1
                  and r.completion_id = n.name
                  -- A token for one conversation vouches for no other: neither for the answer's nor, where the answer
                  -- regenerates another one, for that of the turn on which it counts.
                  and ($12 or (r.trust = 'verified'
                               and (r.granted_conversation_id is null
                                    or (r.granted_conversation_id = n.conversation_id
                                        and r.granted_conversation_id = n.turn_conversation_id))))
               offset 0
           ) f
),
-- Of a session that numbers what it sends, the last number is what it came to, whatever its clock did meanwhile; an item
-- that another one of the same user replaces never counts.
last_words as (
    select distinct on (h.completion_id, h.signal, h.author, h.session)
           h.completion_id, h.signal, h.author, h.thumb, h.comment, h.effective_at, h.feedback_id, h.received_at
      from heard h
     where not exists (
               select
                 from heard g
                where g.completion_id = h.completion_id
                  and g.supersedes = h.feedback_id
                  and (h.user_id is null or g.user_id = h.user_id)
           )
     order by h.completion_id, h.signal, h.author, h.session, h.seq desc, h.effective_at desc, h.feedback_id desc,
              h.received_at desc
),
-- The latest of them is what the user thinks of the completion, signal by signal (ADR 0007).
reactions as (
    select distinct on (w.completion_id, w.signal, w.author)
           w.completion_id, w.signal, w.thumb, w.comment
      from last_words w
     order by w.completion_id, w.signal, w.author, w.effective_at desc, w.feedback_id desc, w.received_at desc
),
outcomes as (
    select r.completion_id,
           bool_or(r.signal in ('copy', 'accept'))                                           as took,
           bool_or(r.signal = 'copy')                                                        as copied,
           bool_or(r.thumb = 'up')                                                           as up,
           bool_or(r.thumb = 'down')                                                         as down,
           bool_or(r.signal = 'regenerate')                                                  as regenerated,
           bool_or(r.signal = 'continuation')                                                as continued,
           bool_or(r.signal = 'impression')                                                  as seen,
           bool_or(r.signal not in ('impression', 'dwell') and r.thumb is distinct from 'none')      as any_signal,
           bool_or(r.signal in ('rating', 'preference', 'edit', 'comment') or r.thumb in ('up', 'down')) as explicit,
           bool_or(r.signal in ('comment', 'edit') or (r.thumb in ('up', 'down') and r.comment is not null)) as wrote
      from reactions r
     group by r.completion_id
),
turns as (
    select a.turn_id,
           count(*) filter (where a.side = a.turn_side)                  as n_completions,
           count(*) filter (where a.by_other_model)                      as n_by_other_model,
           coalesce(bool_or(o.took), false)                              as took,
           coalesce(bool_or(o.copied), false)                            as copied,
           coalesce(bool_or(o.up), false)                                as up,
           coalesce(bool_or(o.down), false)                              as down,
           coalesce(bool_or(o.regenerated), false) or count(*) > 1       as regenerated,
           coalesce(bool_or(o.continued), false)                         as continued,
           coalesce(bool_or(o.seen), false)                              as seen,
           coalesce(bool_or(o.any_signal), false) or count(*) > 1        as any_signal,
           coalesce(bool_or(o.explicit), false)                          as explicit,
           coalesce(bool_or(o.wrote), false)                             as wrote
      from attempts a
      left join outcomes o on o.completion_id = a.completion_id and a.side = a.turn_side
     group by a.turn_id
)
select s.side::smallint                                                                    as side,
       s.unit,
       sum(t.n_completions)::bigint                                                        as n_completions,
       sum(t.n_by_other_model)::bigint                                                     as n_by_other_model,
       count(*)                                                                            as n_turns,
       count(*) filter (where (t.took or t.up) and not (t.regenerated or t.down))          as n_good,
       count(*) filter (where t.regenerated or t.down)                                     as n_bad,
       count(*) filter (where t.up)                                                        as n_up,
       count(*) filter (where t.down)                                                      as n_down,
       count(*) filter (where t.up or t.down)                                              as n_rated,
       count(*) filter (where t.took and not t.regenerated)                                as n_taken,
       count(*) filter (where t.copied)                                                    as n_copied,
       count(*) filter (where t.regenerated)                                               as n_regenerated,
       count(*) filter (where t.continued)                                                 as n_continued,
       count(*) filter (where t.seen)                                                      as n_seen,
       count(*) filter (where t.any_signal)                                                as n_any_signal,
       count(*) filter (where t.explicit)                                                  as n_explicit,
       count(*) filter (where t.wrote)                                                     as n_wrote
  from turns t
  join selected s on s.completion_id = t.turn_id
 group by s.side, s.unit
 order by s.side, s.unit
