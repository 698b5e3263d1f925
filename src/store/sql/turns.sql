-- store::turns::read
-- One row for each turn: whose it is, what came of it, how it was served. Sides are 0 for the control, 1 for the candidate,
-- and 2 for what a user of theirs did in the week before, outside of the experiment.
--   $1 project       $2 experiment key or null   $3 name of the control (variant or model)   $4 of the candidate
--   $5 'user' or 'conversation'   $6 tasks   $7 languages   $8 from   $9 to
--   $10 model declared for the control or null   $11 for the candidate   $12 whether the unverified count, too
--   $13 what the experiment randomises, 'user' or 'conversation'
with recursive compared as (
    select c.completion_id, c.conversation_id, c.parent_completion_id, c.user_id, c.model, c.variant, c.aliases, c.created_at,
           c.turn_index, c.task, c.language, c.input_tokens, c.output_tokens, c.latency_ms, c.ttft_ms, c.cost_usd,
           c.kv_cache_usage, c.finish_reason, c.rating_solicited, c.solicit_prob,
           least(coalesce(c.created_at, c.received_at), c.received_at) as made_at,
           case when (case when $2::text is null then c.model else c.variant end) = $3 then 0 else 1 end as side
      from completions c
     where c.project_id = $1
       and (case when $2::text is null then c.model in ($3, $4)
                 else c.experiment = $2 and c.variant in ($3, $4) end)
       and ($6::text[] is null or c.task = any ($6))
       and ($7::text[] is null or c.language = any ($7))
       and ($8::timestamptz is null or c.received_at >= $8)
       and ($9::timestamptz is null or c.received_at < $9)
),
-- What users did before an experiment could change it is the best that is known of them.
first_seen as (
    select f.user_id, min(f.made_at) as first_at
      from compared f
     where f.user_id is not null
     group by f.user_id
),
before as (
    select c.completion_id, c.conversation_id, c.parent_completion_id, c.user_id, c.model, c.variant, c.aliases, c.created_at,
           c.turn_index, c.task, c.language, c.input_tokens, c.output_tokens, c.latency_ms, c.ttft_ms, c.cost_usd,
           c.kv_cache_usage, c.finish_reason, c.rating_solicited, c.solicit_prob,
           least(coalesce(c.created_at, c.received_at), c.received_at) as made_at,
           2 as side
      from completions c
      join first_seen f on f.user_id = c.user_id
     where $2::text is not null
       and $5 = 'user'
       and c.project_id = $1
       and (c.experiment is distinct from $2 or c.variant is null)
       and ($6::text[] is null or c.task = any ($6))
       and ($7::text[] is null or c.language = any ($7))
       and least(coalesce(c.created_at, c.received_at), c.received_at) < f.first_at
       and least(coalesce(c.created_at, c.received_at), c.received_at) >= f.first_at - interval '7 days'
),
selected as (
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
           c.side,
           -- Where both variants have one model, or a variant has none, no answer is the other side's.
           c.side < 2
           and $10::text <> $11::text
           and c.model = case when c.variant = $3 then $11::text else $10::text end                 as by_other_model,
           case
               when $5 = 'user' and c.user_id is not null then 'u:' || c.user_id
               when c.conversation_id is not null then 'c:' || c.conversation_id
               else 't:' || coalesce(p.parent_completion_id, c.completion_id)
           end as unit,
           case
               when $13 = $5 then null
               when $13 = 'user' and c.user_id is not null then 'u:' || c.user_id
               when c.conversation_id is not null then 'c:' || c.conversation_id
               else 't:' || coalesce(p.parent_completion_id, c.completion_id)
           end as randomised_unit,
           c.made_at, c.created_at is not null as has_own_time, c.turn_index, c.task, c.language, c.input_tokens,
           c.output_tokens, c.latency_ms, c.ttft_ms, c.cost_usd, c.kv_cache_usage,
           c.finish_reason = 'error' as is_error,
           case when c.rating_solicited then c.solicit_prob end as solicit_prob
      from (select * from compared union all select * from before) c
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
),
-- A regeneration is an outcome of the turn that it regenerates, never a turn of its own. `union` and not `union all`:
-- a client's circle of parents must not run for ever. A regeneration by the other side is still the turn's outcome; what
-- was thought of that answer is neither side's, because the other side met this prompt only after a failure. What
-- regenerates an answer from before the experiment is a turn of its own: the first that the experiment saw of it.
attempts as (
    select s.completion_id, s.completion_id as turn_id, s.conversation_id as turn_conversation_id, s.side as turn_side,
           s.side, s.by_other_model, s.cost_usd
      from selected s
      left join selected p on p.completion_id = s.parent_completion_id and (p.side = 2) = (s.side = 2)
     where p.completion_id is null
     union
    select s.completion_id, a.turn_id, a.turn_conversation_id, a.turn_side, s.side, s.by_other_model, s.cost_usd
      from selected s
      join attempts a on a.completion_id = s.parent_completion_id and (a.turn_side = 2) = (s.side = 2)
),
-- Completion by completion: its few reactions are looked up, put in order and summed up at once, so that nothing is sorted as a
-- whole. `offset 0` keeps it a look-up by primary key, whatever the planner believes about tables that were filled a moment ago.
outcomes as (
    select s.completion_id, o.*
      from selected s
      join attempts a on a.completion_id = s.completion_id
     cross join lateral (
               select bool_or(r.signal in ('copy', 'accept'))                                           as took,
                      bool_or(r.signal = 'copy')                                                        as copied,
                      bool_or(r.signal = 'accept')                                                      as accepted,
                      bool_or(r.signal = 'edit')                                                        as edited,
                      bool_or(r.thumb = 'up')                                                           as up,
                      bool_or(r.thumb = 'down')                                                         as down,
                      bool_or(r.signal = 'regenerate')                                                  as regenerated,
                      bool_or(r.signal = 'continuation')                                                as continued,
                      bool_or(r.signal = 'impression')                                                  as seen,
                      bool_or(r.signal not in ('impression', 'dwell') and r.thumb is distinct from 'none') as any_signal,
                      bool_or(r.signal in ('rating', 'preference', 'edit', 'comment')
                              or r.thumb in ('up', 'down'))                                             as explicit,
                      bool_or(r.signal in ('comment', 'edit')
                              or (r.thumb in ('up', 'down') and r.comment is not null))                 as wrote
                 -- The latest of a user's last words is what he thinks of the completion, signal by signal (ADR 0007).
                 from (
                          select distinct on (w.signal, w.author) w.signal, w.thumb, w.comment
                            -- Of a session that numbers what it sends, the last number is what it came to, whatever its
                            -- clock did meanwhile; an item that another one of the same user replaces never counts.
                            from (
                                     select distinct on (h.signal, h.author, h.session)
                                            h.signal, h.author, h.thumb, h.comment, h.effective_at, h.feedback_id,
                                            h.received_at
                                       from (
                                                select f.feedback_id, f.signal, f.thumb, f.comment, f.effective_at,
                                                       f.received_at, f.user_id,
                                                       coalesce('u:' || f.user_id, 'f:' || f.feedback_id::text) as author,
                                                       case when f.session_id is not null then f.seq end as seq,
                                                       -- An item that has no place in a session stands for itself.
                                                       case when f.seq is null or f.session_id is null
                                                            then 'f:' || f.feedback_id::text
                                                            else 's:' || f.session_id end as session,
                                                       array_agg(f.supersedes) over ()                    as replaced,
                                                       array_agg(f.supersedes) over (partition by f.user_id) as own_replaced
                                                  from unnest(s.names) as named (name)
                                                 cross join lateral (
                                                           select *
                                                             from feedback r
                                                            where r.project_id = $1
                                                              and r.completion_id = named.name
                                                              and ($12 or (r.trust = 'verified'
                                                                           and (r.granted_conversation_id is null
                                                                                or (r.granted_conversation_id = s.conversation_id
                                                                                    and r.granted_conversation_id
                                                                                        = a.turn_conversation_id))))
                                                           offset 0
                                                       ) f
                                            ) h
                                      where (h.feedback_id = any (case when h.user_id is null then h.replaced
                                                                       else h.own_replaced end)) is not true
                                      order by h.signal, h.author, h.session, h.seq desc, h.effective_at desc,
                                               h.feedback_id desc, h.received_at desc
                                 ) w
                           order by w.signal, w.author, w.effective_at desc, w.feedback_id desc, w.received_at desc
                      ) r
           ) o
),
turns as (
    select a.turn_id,
           count(*) filter (where a.side = a.turn_side)                  as n_completions,
           count(*) filter (where a.by_other_model)                      as n_by_other_model,
           coalesce(bool_or(o.took), false)                              as took,
           coalesce(bool_or(o.copied), false)                            as copied,
           coalesce(bool_or(o.accepted), false)                          as accepted,
           coalesce(bool_or(o.edited), false)                            as edited,
           sum(a.cost_usd) filter (where a.side = a.turn_side)           as cost_usd,
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
select s.side::smallint,
       s.unit,
       s.randomised_unit,
       (extract(epoch from s.made_at) * 1000)::bigint,
       s.has_own_time,
       -- One bit for each outcome, in the order of store::turns::Outcomes.
       t.took::integer
       + t.copied::integer * 2
       + t.up::integer * 4
       + t.down::integer * 8
       + t.regenerated::integer * 16
       + t.continued::integer * 32
       + t.seen::integer * 64
       + t.any_signal::integer * 128
       + t.explicit::integer * 256
       + t.wrote::integer * 512
       + t.accepted::integer * 1024
       + t.edited::integer * 2048,
       t.n_completions::integer,
       t.n_by_other_model::integer,
       -- Conversations are only told apart, so that a hash does, which is shorter than the id.
       hashtextextended(coalesce('c:' || s.conversation_id, 't:' || s.completion_id), 0),
       coalesce(s.turn_index, 0),
       s.task,
       s.language,
       s.input_tokens::real,
       s.output_tokens::real,
       s.latency_ms::real,
       s.ttft_ms::real,
       t.cost_usd::real,
       s.kv_cache_usage::real,
       s.solicit_prob::real,
       coalesce(s.is_error, false)
  from turns t
  join selected s on s.completion_id = t.turn_id
