-- store::turns::read (what was thought of some answers)
-- What counts of the reactions to these completions, as in answers.sql: the latest of a user's last words, signal by signal
-- (ADR 0007).
--   $1 project   $2 completion ids   $3 whether each belongs to the conversation of its turn
--   $4 whether the unverified count, too
select s.place::integer - 1,
       coalesce(o.outcomes, 0)
  from unnest($2::text[], $3::boolean[]) with ordinality as s (completion_id, shares_conversation, place)
 cross join lateral (
           select l.conversation_id,
                  array_append(case when l.aliases is null then '{}' else array(
                      select distinct told.name
                        from unnest(l.aliases) as told (name)
                       where exists (
                                 select
                                   from resolved_aliases r
                                  where r.project_id = $1
                                    and r.alias = told.name
                                    and r.completion_id = l.completion_id
                                    and not r.is_shared
                                 offset 0
                             )
                  ) end, l.completion_id) as names
             from completions l
            where l.project_id = $1
              and l.completion_id = s.completion_id
           offset 0
       ) c
 cross join lateral (
           select bit_or(case r.signal
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
                                     when r.thumb = 'none' then 0
                                     else case when r.thumb = 'up' then 388 else 392 end
                                          | case when r.comment is not null then 512 else 0 end
                                 end
                             when 'rating' then 384
                             when 'preference' then 384
                             else 128
                         end) as outcomes
             from (
                      select distinct on (w.signal, w.author) w.signal, w.thumb, w.comment
                        -- Of a session that numbers what it sends, the last number is what it came to, whatever its clock
                        -- did meanwhile; an item that another one of the same user replaces never counts.
                        from (
                                 select distinct on (h.signal, h.author, h.session)
                                        h.signal, h.author, h.thumb, h.comment, h.effective_at, h.feedback_id, h.received_at
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
                                              from unnest(c.names) as named (name)
                                             cross join lateral (
                                                       select *
                                                         from feedback r
                                                        where r.project_id = $1
                                                          and r.completion_id = named.name
                                                          and ($4 or (r.trust = 'verified'
                                                                      and (r.granted_conversation_id is null
                                                                           or (r.granted_conversation_id
                                                                                   = c.conversation_id
                                                                               and s.shares_conversation))))
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
