-- store::completions::insert
-- One statement for a batch; the keys come sorted, so that two writers meet in one order.
insert into completions (
    project_id, completion_id, content_hash, prompt_hash, model, requested_model, prompt, response, tools,
    params, finish_reason, conversation_id, turn_index, parent_completion_id, attempt, user_id, experiment,
    variant, task, language, tags, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens,
    started_at, ttft_ms, itl_ms, latency_ms, queue_ms, cost_usd, served_by, kv_cache_usage, n_waiting,
    max_model_len, consent_training, rating_solicited, solicit_prob, aliases, created_at, received_at
)
select
    i.project_id, i.completion_id, i.content_hash, i.prompt_hash, i.model, i.requested_model, i.prompt,
    i.response, i.tools, i.params, i.finish_reason, i.conversation_id, i.turn_index, i.parent_completion_id,
    i.attempt, i.user_id, i.experiment, i.variant, i.task, i.language, i.tags::jsonb, i.input_tokens,
    i.output_tokens, i.cached_input_tokens, i.reasoning_tokens, i.started_at, i.ttft_ms, i.itl_ms,
    i.latency_ms, i.queue_ms, i.cost_usd, i.served_by, i.kv_cache_usage, i.n_waiting, i.max_model_len,
    i.consent_training, i.rating_solicited, i.solicit_prob,
    case when i.aliases is null then null else array(select jsonb_array_elements_text(i.aliases::jsonb)) end,
    i.created_at, i.received_at
  from unnest(
    $1::uuid[], $2::text[], $3::bytea[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::integer[], $14::text[], $15::integer[],
    $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::integer[],
    $23::integer[], $24::integer[], $25::integer[], $26::timestamptz[], $27::double precision[],
    $28::double precision[], $29::double precision[], $30::double precision[], $31::double precision[],
    $32::text[], $33::double precision[], $34::integer[], $35::integer[], $36::boolean[], $37::boolean[],
    $38::double precision[], $39::text[], $40::timestamptz[], $41::timestamptz[]
  ) as i (
    project_id, completion_id, content_hash, prompt_hash, model, requested_model, prompt, response, tools,
    params, finish_reason, conversation_id, turn_index, parent_completion_id, attempt, user_id, experiment,
    variant, task, language, tags, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens,
    started_at, ttft_ms, itl_ms, latency_ms, queue_ms, cost_usd, served_by, kv_cache_usage, n_waiting,
    max_model_len, consent_training, rating_solicited, solicit_prob, aliases, created_at, received_at
  )
    on conflict (project_id, completion_id) do nothing
returning project_id, completion_id
