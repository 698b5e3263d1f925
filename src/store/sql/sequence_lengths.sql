-- store::sequence_lengths::list
-- One pass over the completions of a window; the quantiles are values that occur (discrete), since tokens are counted.
--   $1 project   $2 to $8 the selection, as in list_prompts.sql   $9 whether tasks are told apart   $10 the most rows
select c.model,
       case when $9 then c.task end                                                                  as task,
       count(*)                                                                                      as n,
       count(c.input_tokens)                                                                         as n_input,
       sum(c.input_tokens)                                                                           as input_tokens,
       max(c.input_tokens)                                                                           as input_max,
       percentile_disc(array[0.5, 0.9, 0.95, 0.99]) within group (order by c.input_tokens)           as input_quantiles,
       count(c.output_tokens)                                                                        as n_output,
       sum(c.output_tokens)                                                                          as output_tokens,
       max(c.output_tokens)                                                                          as output_max,
       percentile_disc(array[0.5, 0.9, 0.95, 0.99]) within group (order by c.output_tokens)          as output_quantiles,
       sum(c.input_tokens) filter (where c.output_tokens > 0)                                        as input_of_both,
       sum(c.output_tokens) filter (where c.input_tokens is not null)                                as output_of_both,
       percentile_cont(0.5) within group (order by c.input_tokens::float8 / nullif(c.output_tokens, 0)) as median_ratio,
       sum(c.cached_input_tokens) filter (where c.input_tokens is not null)                          as cached_tokens,
       sum(c.input_tokens) filter (where c.cached_input_tokens is not null)                          as input_of_cached,
       count(c.input_tokens::int8 + c.output_tokens) filter (where c.max_model_len > 0)              as n_with_context,
       count(*) filter (where c.max_model_len > 0
                          and (c.input_tokens::int8 + c.output_tokens) * 5 > c.max_model_len::int8 * 4) as n_nearly_full,
       count(c.finish_reason)                                                                        as n_finish_known,
       count(*) filter (where c.finish_reason = 'length')                                            as n_truncated,
       count(*) filter (where c.finish_reason = 'length'
                          and c.input_tokens::int8 + c.output_tokens >= c.max_model_len)             as n_at_context,
       count(*) filter (where c.finish_reason = 'length'
                          and c.input_tokens::int8 + c.output_tokens < c.max_model_len)              as n_at_limit,
       avg(c.ttft_ms)                                                                                as mean_ttft_ms,
       avg(c.itl_ms)                                                                                 as mean_itl_ms
  from completions c
 where c.project_id = $1
   and ($2::text[] is null or c.model = any ($2))
   and ($3::text is null or c.experiment = $3)
   and ($4::text[] is null or c.variant = any ($4))
   and ($5::text[] is null or c.task = any ($5))
   and ($6::text[] is null or c.language = any ($6))
   and ($7::timestamptz is null or c.received_at >= $7)
   and ($8::timestamptz is null or c.received_at < $8)
 group by 1, 2
 order by count(*) desc, 1, 2
 limit $10
