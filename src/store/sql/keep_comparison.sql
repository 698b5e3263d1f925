-- store::kept_comparisons::keep
--   $1 project   $2 hash of the question   $3 question   $4 JSON   $5 page   $6 text   $7 plot   $8 as of when
--   $9 milliseconds that it took   $10 erasures of the project that had ended before
insert into kept_comparisons (project_id, question_hash, question, json, page, plain, plot, computed_at, took_ms, asked_at)
select $1, $2, $3, $4, $5, $6, $7, $8, $9, $8
 where not exists (
           select
             from erasures e
            where e.project_id = $1
              and e.status = 'running'
       )
   and $10 = (
           select count(*)
             from erasures e
            where e.project_id = $1
              and e.status = 'completed'
       )
    on conflict (project_id, question_hash) do update
   set json        = excluded.json,
       page        = excluded.page,
       plain       = excluded.plain,
       plot        = excluded.plot,
       computed_at = excluded.computed_at,
       took_ms     = excluded.took_ms,
       claimed_until = null
 where kept_comparisons.computed_at <= excluded.computed_at
