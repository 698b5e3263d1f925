-- store::turns::read (answer by answer)
-- One row for each completion of the two sides, attempts included: whose it is, how it was served, and what was thought of
-- it where that needs no putting in order. Or, once it is known when every user was first seen, what they did in the week
-- before, outside of the experiment: side 2.
--   $1 project       $2 experiment key or null   $3 name of the control (variant or model)   $4 of the candidate
--   $5 'user' or 'conversation'   $6 tasks   $7 languages   $8 from   $9 to
--   $10 model declared for the control or null   $11 for the candidate   $12 whether the unverified count, too
--   $13 what the experiment randomises, 'user' or 'conversation'
--   $14, $15 lanes less one, and the lane: hashes share the completions out
--   $16 users or null   $17 when each of them was first seen
--   $18 models in place of two sides, all of them where it names none; null where sides are compared
select a.side::smallint,
       -- Ids are only told apart, so that 128 bits of hash do, which are shorter.
       hashtextextended(a.completion_id, 0),
       hashtextextended(a.completion_id, 1),
       hashtextextended(p.parent_completion_id, 0),
       hashtextextended(p.parent_completion_id, 1),
       case
           when $5 = 'user' and a.user_id is not null then 'u:' || a.user_id
           when a.conversation_id is not null then 'c:' || a.conversation_id
           else 't:' || coalesce(p.parent_completion_id, a.completion_id)
       end,
       case
           when $13 = $5 then null
           when $13 = 'user' and a.user_id is not null then 'u:' || a.user_id
           when a.conversation_id is not null then 'c:' || a.conversation_id
           else 't:' || coalesce(p.parent_completion_id, a.completion_id)
       end,
       a.made_at,
       a.created_at is not null,
       hashtextextended(coalesce('c:' || a.conversation_id, 't:' || a.completion_id), 0),
       coalesce(a.turn_index, 0),
       a.task,
       a.language,
       a.input_tokens::real,
       a.output_tokens::real,
       -- Not as `real`: a number that is too small for it would be an error, and not nothing.
       a.latency_ms::double precision,
       a.ttft_ms::double precision,
       a.cost_usd::double precision,
       -- What was joined holds the client's own word where it sent one. Looked up one by one, as reactions are: facts of all
       -- time are not read for those of a window.
       coalesce((
           select f.kv_at_end
             from serving_facts f
            where f.project_id = $1
              and f.completion_id = a.completion_id
       ), a.kv_cache_usage)::double precision,
       case when a.rating_solicited then a.solicit_prob end::double precision,
       coalesce(a.finish_reason = 'error', false),
       -- Where both variants have one model, or a variant has none, no answer is the other side's.
       coalesce(a.side < 2
                and $10::text <> $11::text
                and a.model = case when a.variant = $3 then $11::text else $10::text end, false),
       o.reactions,
       o.n_unverified,
       a.aliases is not null,
       -- The id itself, where what was thought of the answer has to be put in order: several kinds of thumbs, an item that
       -- replaces another one, or a token for one conversation on an answer whose turn may be another conversation's.
       case when o.reactions & 131072 <> 0
              or (o.reactions & 126976) & ((o.reactions & 126976) - 1) <> 0
              or (o.reactions & 262144 <> 0 and p.parent_completion_id is not null)
            then a.completion_id end,
       case when $18::text[] is not null then a.model end
  from (
           select c.completion_id, c.conversation_id, c.parent_completion_id, c.user_id, c.model, c.variant, c.aliases,
                  c.created_at, c.turn_index, c.task, c.language, c.input_tokens, c.output_tokens, c.latency_ms, c.ttft_ms,
                  c.cost_usd, c.kv_cache_usage, c.finish_reason, c.rating_solicited, c.solicit_prob,
                  least(coalesce(c.created_at, c.received_at), c.received_at) as made_at,
                  case when $18::text[] is not null or (case when $2::text is null then c.model else c.variant end) = $3
                       then 0 else 1 end as side
             from completions c
            where $16::text[] is null
              and c.project_id = $1
              and (case when $18::text[] is not null then $18::text[] = '{}' or c.model = any ($18)
                        when $2::text is null then c.model in ($3, $4)
                        else c.experiment = $2 and c.variant in ($3, $4) end)
              and ($6::text[] is null or c.task = any ($6))
              and ($7::text[] is null or c.language = any ($7))
              and ($8::timestamptz is null or c.received_at >= $8)
              and ($9::timestamptz is null or c.received_at < $9)
            union all
           -- What users did before an experiment could change it is the best that is known of them.
           select c.completion_id, c.conversation_id, c.parent_completion_id, c.user_id, c.model, c.variant, c.aliases,
                  c.created_at, c.turn_index, c.task, c.language, c.input_tokens, c.output_tokens, c.latency_ms, c.ttft_ms,
                  c.cost_usd, c.kv_cache_usage, c.finish_reason, c.rating_solicited, c.solicit_prob,
                  least(coalesce(c.created_at, c.received_at), c.received_at),
                  2
             from unnest($16::text[], $17::timestamptz[]) as f (user_id, first_at)
             join completions c on c.user_id = f.user_id
            where $16::text[] is not null
              and c.project_id = $1
              and (c.experiment is distinct from $2 or c.variant is null)
              and ($6::text[] is null or c.task = any ($6))
              and ($7::text[] is null or c.language = any ($7))
              and least(coalesce(c.created_at, c.received_at), c.received_at) < f.first_at
              and least(coalesce(c.created_at, c.received_at), c.received_at) >= f.first_at - interval '7 days'
       ) a
 -- A parent may be told by an alias, too; its own alias makes no completion its own parent.
 cross join lateral (
           select nullif(coalesce((
                      select r.completion_id
                        from resolved_aliases r
                       where r.project_id = $1
                         and r.alias = a.parent_completion_id
                         and not r.is_shared
                  ), a.parent_completion_id), a.completion_id) as parent_completion_id
           offset 0
       ) p
 -- Its few reactions are looked up by the primary key; `offset 0` keeps it that, whatever the planner believes about tables
 -- that were filled a moment ago.
 cross join lateral (
           -- One bit for each outcome, in the order of store::turns::Outcomes; then one for each kind of thumb, one for an
           -- item that replaces another one, one for a token that is good for one conversation.
           select coalesce(bit_or(case f.signal
                                      when 'impression' then 64
                                      when 'dwell' then 0
                                      when 'copy' then 131
                                      when 'continuation' then 160
                                      when 'accept' then 1153
                                      when 'regenerate' then 144
                                      when 'edit' then 2944
                                      when 'comment' then 896
                                      when 'thumb' then
                                          case
                                              when f.thumb = 'up' and not f.has_comment then 8192 + 388
                                              when f.thumb = 'up' then 16384 + 900
                                              when f.thumb = 'down' and not f.has_comment then 32768 + 392
                                              when f.thumb = 'down' then 65536 + 904
                                              else 4096
                                          end
                                      when 'rating' then 384
                                      when 'preference' then 384
                                      else 128
                                  end
                                  | case when f.replaces then 131072 else 0 end
                                  | case when f.is_granted and not $12 then 262144 else 0 end) filter (where $12 or f.is_vouched_for),
                           0)                                            as reactions,
                  count(*) filter (where not f.is_vouched_for)::integer  as n_unverified
             from (
                      select r.signal, r.thumb, r.comment is not null as has_comment, r.supersedes is not null as replaces,
                             r.granted_conversation_id is not null as is_granted,
                             r.trust = 'verified'
                             and (r.granted_conversation_id is null
                                  or coalesce(r.granted_conversation_id = a.conversation_id, false)) as is_vouched_for
                        from feedback r
                       where r.project_id = $1
                         and r.completion_id = a.completion_id
                       union all
                      select r.signal, r.thumb, r.comment is not null, r.supersedes is not null,
                             r.granted_conversation_id is not null,
                             r.trust = 'verified'
                             and (r.granted_conversation_id is null
                                  or coalesce(r.granted_conversation_id = a.conversation_id, false))
                        from (
                                 select distinct told.name
                                   from unnest(a.aliases) as told (name)
                                  where exists (
                                            select
                                              from resolved_aliases i
                                             where i.project_id = $1
                                               and i.alias = told.name
                                               and i.completion_id = a.completion_id
                                               and not i.is_shared
                                            offset 0
                                        )
                             ) n
                       cross join lateral (
                                 select *
                                   from feedback r
                                  where r.project_id = $1
                                    and r.completion_id = n.name
                                 offset 0
                             ) r
                       where a.aliases is not null
                      offset 0
                  ) f
       ) o
 where hashtextextended(a.completion_id, 2) & $14 = $15
