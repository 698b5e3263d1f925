-- store::serving_load::count
-- Minutes of engines by bin of time and whole percent of the KV cache in use. Samples count as the minutes that they will be
-- rolled up to, so that a report says the same before and after.
--   $1 models   $2 from   $3 to   $4 seconds of a bin
select date_bin(make_interval(secs => $4), m.minute_at, $2) as bin_at,
       least(floor(m.usage_avg * 100), 99)::integer         as percent,
       count(*)                                             as n_minutes,
       sum(m.usage_avg)                                     as usage_sum,
       max(m.usage_max)                                     as usage_max,
       count(m.waiting_max)                                 as n_waiting_known,
       count(*) filter (where m.waiting_max > 0)            as n_with_queue,
       max(m.waiting_max)                                   as n_waiting_max
  from (
           select date_trunc('minute', s.slot_at) as minute_at,
                  avg(s.kv_cache_usage)           as usage_avg,
                  max(s.kv_cache_usage)           as usage_max,
                  max(s.n_waiting)                as waiting_max
             from serving_samples s
            where s.model = any ($1)
              and s.slot_at >= $2
              and s.slot_at < $3
            group by s.target, s.model, s.rank, date_trunc('minute', s.slot_at)
            union all
           select r.minute_at, r.kv_cache_usage_avg, r.kv_cache_usage_max, r.n_waiting_max
             from serving_minutes r
            where r.model = any ($1)
              and r.minute_at >= $2
              and r.minute_at < $3
       ) m
 group by 1, 2
 order by 1, 2
