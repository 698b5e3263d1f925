-- store::serving::roll_up
-- One statement deletes and keeps, so that of several services that roll up at once each sample goes to one. The hour
-- that is taken begins with the oldest sample and ends with a whole minute: no minute is taken in two pieces.
--   $1 the first moment that stays, which begins a minute
with oldest as (
    select date_trunc('hour', min(slot_at)) as hour_at from serving_samples
),
gone as (
    delete from serving_samples s
     using oldest o
     where s.slot_at < least(o.hour_at + interval '1 hour', $1)
    returning s.*
),
kept as (
    insert into serving_minutes (target, model, minute_at, rank, n_samples, kv_cache_usage_avg, kv_cache_usage_max,
                                 kv_reserved_avg, kv_reserved_max, n_running_avg, n_running_max, n_waiting_avg,
                                 n_waiting_max, n_preempted_max)
    select target, model, date_trunc('minute', slot_at), rank, count(*), avg(kv_cache_usage), max(kv_cache_usage),
           avg(kv_reserved), max(kv_reserved), avg(n_running), max(n_running), avg(n_waiting), max(n_waiting),
           max(n_preempted)
      from gone
     group by target, model, date_trunc('minute', slot_at), rank
    on conflict (target, model, minute_at, rank) do nothing
)
select count(*) as n_samples from gone
