-- store::pages::list_feedback (their keys, of selected completions)
-- Completion by completion: filters are looked at once for each, however much feedback it has.
--   $1 project   $2 to $8 the selection, as in list_prompts.sql   $9, $10 after this key or null   $11 the most rows
--   $12 whether only the verified is wanted
select f.completion_id, f.feedback_id, f.n_bytes
  from completions c
 cross join lateral (
           select r.completion_id, r.feedback_id,
                  coalesce(octet_length(r.edited_text), 0) + coalesce(octet_length(r.comment), 0) as n_bytes
             from feedback r
            where r.project_id = $1
              and r.completion_id = c.completion_id
              and (r.completion_id, r.feedback_id)
                  > (coalesce($9::text, ''), coalesce($10::uuid, '00000000-0000-0000-0000-000000000000'))
              and (not $12
                   or (r.trust = 'verified'
                       and (r.granted_conversation_id is null or r.granted_conversation_id = c.conversation_id)))
            order by r.feedback_id
            limit $11
       ) f
 where c.project_id = $1
   and c.completion_id >= coalesce($9::text, '')
   and ($2::text[] is null or c.model = any ($2))
   and ($3::text is null or c.experiment = $3)
   and ($4::text[] is null or c.variant = any ($4))
   and ($5::text[] is null or c.task = any ($5))
   and ($6::text[] is null or c.language = any ($6))
   and ($7::timestamptz is null or c.received_at >= $7)
   and ($8::timestamptz is null or c.received_at < $8)
 order by c.completion_id, f.feedback_id
 limit $11
