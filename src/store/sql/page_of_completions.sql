-- store::pages::list_completions
-- Completions in the order of their ids, which the primary key has: a page costs what it holds, and writing needs no
-- further index.
--   $1 project   $2 to $8 the selection, as in list_prompts.sql   $9 after this id or null   $10 only this id or null
--   $11 the most rows   $12 whether texts are read   $13 bytes of texts after which a page ends
with found as (
    select *
      from completions r
     where r.project_id = $1
       and ($2::text[] is null or r.model = any ($2))
       and ($3::text is null or r.experiment = $3)
       and ($4::text[] is null or r.variant = any ($4))
       and ($5::text[] is null or r.task = any ($5))
       and ($6::text[] is null or r.language = any ($6))
       and ($7::timestamptz is null or r.received_at >= $7)
       and ($8::timestamptz is null or r.received_at < $8)
       and ($9::text is null or r.completion_id > $9)
       and ($10::text is null or r.completion_id = $10)
     order by r.completion_id
     limit $11
),
sized as (
    select f.*,
           count(*) over () as n_found,
           coalesce(sum(octet_length(f.prompt) + octet_length(f.response) + coalesce(octet_length(f.tools), 0)
                        + coalesce(octet_length(f.params), 0))
                    over (order by f.completion_id rows between unbounded preceding and 1 preceding), 0) as n_bytes_before
      from found f
)
select s.completion_id, s.conversation_id, s.n_found,
       case when $12 then s.prompt end   as prompt,
       case when $12 then s.response end as response,
       case when $12 then s.tools end    as tools,
       case when $12 then s.params end   as params,
       array_append(case when s.aliases is null then '{}' else array(
           -- An id of its own outranks another completion's alias of the same text (LATE-3).
           select alias
             from unnest(s.aliases) as alias
            where not exists (
                      select
                        from completions o
                       where o.project_id = $1
                         and o.completion_id = alias
                      offset 0
                  )
       ) end, s.completion_id) as names,
       json_strip_nulls(json_build_object(
           'id', s.completion_id, 'model', s.model, 'requested_model', s.requested_model,
           'finish_reason', s.finish_reason, 'conversation_id', s.conversation_id, 'turn_index', s.turn_index,
           'parent_completion_id', s.parent_completion_id, 'attempt', s.attempt, 'user', s.user_id,
           'experiment', s.experiment, 'variant', s.variant, 'task', s.task, 'language', s.language,
           'tags', s.tags,
           'usage', nullif(json_strip_nulls(json_build_object(
               'input_tokens', s.input_tokens, 'output_tokens', s.output_tokens,
               'cached_input_tokens', s.cached_input_tokens, 'reasoning_tokens', s.reasoning_tokens))::text, '{}')::json,
           'timing', nullif(json_strip_nulls(json_build_object(
               'started_at', to_char(s.started_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
               'ttft_ms', s.ttft_ms, 'itl_ms', s.itl_ms, 'latency_ms', s.latency_ms,
               'queue_ms', s.queue_ms))::text, '{}')::json,
           'cost_usd', s.cost_usd,
           'serving', nullif(json_strip_nulls(json_build_object(
               'served_by', s.served_by, 'kv_cache_usage', s.kv_cache_usage, 'n_waiting', s.n_waiting,
               'max_model_len', s.max_model_len))::text, '{}')::json,
           'consent', case when s.consent_training is not null then json_build_object('training', s.consent_training) end,
           'rating_solicited', s.rating_solicited, 'solicit_prob', s.solicit_prob, 'aliases', s.aliases,
           'created_at', to_char(s.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'received_at', to_char(s.received_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
       ))::text as facts
  from sized s
 where not $12
    or s.n_bytes_before < $13
 order by s.completion_id
