-- store::pages::list_completions
-- Looked up as the first id that is not smaller: without statistics the planner takes any index that begins with the
-- project for a look-up by equality, and reads the project for each id; an order is had from the primary key alone.
--   $1 project   $2 ids   $3 whether texts are read
select s.completion_id, s.conversation_id,
       case when $3 then s.prompt end   as prompt,
       case when $3 then s.response end as response,
       case when $3 then s.tools end    as tools,
       case when $3 then s.params end   as params,
       array_append(case when s.aliases is null then '{}' else array(
           select distinct told.name
             from unnest(s.aliases) as told (name)
            where exists (
                      select
                        from resolved_aliases r
                       where r.project_id = $1
                         and r.alias = told.name
                         and r.completion_id = s.completion_id
                         and not r.is_shared
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
               'max_model_len', s.max_model_len,
               'load', case when f.completion_id is not null then json_strip_nulls(json_build_object(
                   'kv_at_end', f.kv_at_end, 'kv_mean', f.kv_mean, 'kv_max', f.kv_max,
                   'n_waiting_max', f.n_waiting_max, 'preempted', f.preempted, 'kv_source', f.kv_source,
                   'kv_scope', f.kv_scope, 'kv_staleness_ms', f.kv_staleness_ms)) end))::text, '{}')::json,
           'consent', case when s.consent_training is not null then json_build_object('training', s.consent_training) end,
           'rating_solicited', s.rating_solicited, 'solicit_prob', s.solicit_prob, 'aliases', s.aliases,
           'created_at', to_char(s.created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'received_at', to_char(s.received_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
       ))::text as facts
  from unnest($2::text[]) with ordinality as wanted (completion_id, nth)
 cross join lateral (
           select *
             from completions r
            where r.project_id = $1
              and r.completion_id >= wanted.completion_id
            order by r.completion_id
            limit 1
       ) s
  left join lateral (
           select *
             from serving_facts r
            where r.project_id = $1
              and r.completion_id = s.completion_id
            limit 1
       ) f on true
 where s.completion_id = wanted.completion_id
 order by wanted.nth
