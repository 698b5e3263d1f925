-- store::kept_comparisons::claim_due
--   $1 now   $2 seconds before which nothing is computed again   $3 the same in times of what it took   $4 seconds of the lease
update kept_comparisons
   set claimed_until = clock_timestamp() + make_interval(secs => $4)
 where (project_id, question_hash) = (
           select k.project_id, k.question_hash
             from kept_comparisons k
            where k.computed_at < $1 - make_interval(secs => greatest($2, k.took_ms / 1000.0 * $3))
              and (k.claimed_until is null or k.claimed_until < clock_timestamp())
            order by k.computed_at
            limit 1
              for update skip locked
       )
returning project_id, question_hash, question
