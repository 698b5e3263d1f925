-- store::pages::list_feedback
-- A completion is looked up as in records_of_completions.sql.
--   $1 project   $2, $3 keys
select s.*,
       case when s.granted_conversation_id is not null then (
           select case when c.completion_id = s.completion_id then c.conversation_id end
             from completions c
            where c.project_id = $1
              and c.completion_id >= s.completion_id
            order by c.completion_id
            limit 1
       ) end as its_conversation_id
  from unnest($2::text[], $3::uuid[]) with ordinality as wanted (completion_id, feedback_id, nth)
 cross join lateral (
           select *
             from feedback r
            where r.project_id = $1
              and r.completion_id = wanted.completion_id
              and r.feedback_id = wanted.feedback_id
           offset 0
       ) s
 order by wanted.nth
