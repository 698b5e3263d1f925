-- store::pages::list_feedback_of
-- The feedback on a page's completions, name by name as in list_feedback_of_completions.sql, the first of each name only,
-- and of all of it as much as its texts leave room for.
--   $1 project   $2 names   $3 the most rows of a name   $4 bytes of texts
select s.*
  from (select f.*,
               sum(coalesce(octet_length(f.edited_text), 0) + coalesce(octet_length(f.comment), 0))
                   over (order by f.completion_id, f.feedback_id) as n_bytes
          from unnest($2::text[]) as named (completion_id)
         cross join lateral (
                   select *
                     from feedback r
                    where r.project_id = $1
                      and r.completion_id = named.completion_id
                    order by r.feedback_id
                    limit $3
               ) f) s
 where s.n_bytes <= $4
 order by s.completion_id, s.feedback_id
