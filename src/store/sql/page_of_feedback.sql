-- store::pages::list_feedback (their keys)
-- In the order of the primary key, whether the completion has arrived or not.
--   $1 project   $2, $3 after this key or null   $4 the most rows   $5 whether only the verified is wanted
select r.completion_id, r.feedback_id,
       coalesce(octet_length(r.edited_text), 0) + coalesce(octet_length(r.comment), 0) as n_bytes
  from feedback r
 where r.project_id = $1
   and (r.completion_id, r.feedback_id)
       > (coalesce($2::text, ''), coalesce($3::uuid, '00000000-0000-0000-0000-000000000000'))
   and (not $5
        or (r.trust = 'verified'
            and (r.granted_conversation_id is null
                 or r.granted_conversation_id = (
                        select case when c.completion_id = r.completion_id then c.conversation_id end
                          from completions c
                         where c.project_id = $1
                           and c.completion_id >= r.completion_id
                         order by c.completion_id
                         limit 1
                    ))))
 order by r.completion_id, r.feedback_id
 limit $4
