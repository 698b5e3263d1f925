-- store::jobs::claim
update jobs
   set lease_token  = $1,
       leased_until = clock_timestamp() + make_interval(secs => $2),
       n_attempts   = n_attempts + 1
 where job_id = (
           select job_id
             from jobs
            where kind = 'export'
              and run_at <= clock_timestamp()
              and (leased_until is null or leased_until < clock_timestamp())
            order by run_at, job_id
            limit 1
              for update skip locked
       )
returning job_id, project_id, subject_id, n_attempts, n_stops
