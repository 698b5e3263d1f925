-- store::pages::list_feedback
-- Feedback in the order of the primary key. Filters over completions let through what is filed under the id of one that
-- passes; without them feedback whose completion has not arrived is listed as well.
--   $1 project   $2 to $8 the selection, as in list_prompts.sql   $9, $10 after this key or null   $11 the most rows
--   $12 whether there is a filter over completions   $13 whether only the verified is wanted
--   $14 bytes of texts after which a page ends
with found as (
    select r.*, c.conversation_id as its_conversation_id
      from feedback r
      left join lateral (
               select *
                 from completions o
                where o.project_id = $1
                  and o.completion_id = r.completion_id
               offset 0
           ) c on true
     where r.project_id = $1
       and ($9::text is null or (r.completion_id, r.feedback_id) > ($9, $10::uuid))
       and (not $12
            or (c.completion_id is not null
                and ($2::text[] is null or c.model = any ($2))
                and ($3::text is null or c.experiment = $3)
                and ($4::text[] is null or c.variant = any ($4))
                and ($5::text[] is null or c.task = any ($5))
                and ($6::text[] is null or c.language = any ($6))
                and ($7::timestamptz is null or c.received_at >= $7)
                and ($8::timestamptz is null or c.received_at < $8)))
       and (not $13
            or (r.trust = 'verified'
                and (r.granted_conversation_id is null or r.granted_conversation_id = c.conversation_id)))
     order by r.completion_id, r.feedback_id
     limit $11
),
sized as (
    select f.*,
           count(*) over () as n_found,
           coalesce(sum(coalesce(octet_length(f.edited_text), 0) + coalesce(octet_length(f.comment), 0))
                    over (order by f.completion_id, f.feedback_id rows between unbounded preceding and 1 preceding),
                    0) as n_bytes_before
      from found f
)
select *
  from sized s
 where s.n_bytes_before < $14
 order by s.completion_id, s.feedback_id
