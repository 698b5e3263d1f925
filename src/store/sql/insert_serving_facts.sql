-- store::serving::insert_facts
-- A completion that is erased in this moment is waited for by the foreign key and refuses the batch, which is tried again
-- without it.
--   $1 project   $2 ids   $3 .. $10 the facts
insert into serving_facts (project_id, completion_id, kv_at_end, kv_mean, kv_max, n_waiting_max, preempted, kv_source,
                           kv_scope, kv_staleness_ms)
select $1, f.completion_id, f.kv_at_end, f.kv_mean, f.kv_max, f.n_waiting_max, f.preempted, f.kv_source, f.kv_scope,
       f.kv_staleness_ms
  from unnest($2::text[], $3::float8[], $4::float8[], $5::float8[], $6::int4[], $7::bool[], $8::text[], $9::text[],
              $10::int4[])
       as f (completion_id, kv_at_end, kv_mean, kv_max, n_waiting_max, preempted, kv_source, kv_scope, kv_staleness_ms)
on conflict (project_id, completion_id) do nothing
