-- store::completions::insert
-- One statement for a batch; the keys come sorted, so that two writers meet in one order.
insert into completions (
    project_id, completion_id, content_hash, prompt_hash, model, requested_model, prompt, response, tools, params,
    finish_reason, conversation_id, turn_index, parent_completion_id, attempt, user_id, experiment, variant, task,
    language, tags, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, started_at, ttft_ms,
    itl_ms, latency_ms, queue_ms, cost_usd, served_by, kv_cache_usage, n_waiting, max_model_len, consent_training,
    rating_solicited, solicit_prob, aliases, created_at, received_at
)
select
    i.project_id, i.completion_id, i.content_hash, i.prompt_hash, i.model, i.requested_model, i.prompt,
    i.response, i.tools, i.params, i.finish_reason, i.conversation_id, i.turn_index, i.parent_completion_id,
    i.attempt, i.user_id, i.experiment, i.variant, i.task, i.language, i.tags, i.input_tokens, i.output_tokens,
    i.cached_input_tokens, i.reasoning_tokens, i.started_at, i.ttft_ms, i.itl_ms, i.latency_ms, i.queue_ms,
    i.cost_usd, i.served_by, i.kv_cache_usage, i.n_waiting, i.max_model_len, i.consent_training,
    i.rating_solicited, i.solicit_prob, i.aliases, i.created_at, i.received_at
  from unnest($1::completion_in[]) as i
 -- What was erased does not come back (PRIV-1). Whether anything was is asked once; only then every row is looked at.
 where not (select exists (select from tombstones where project_id = any ((select afterword_projects())::uuid[])))
    or not exists (
           -- The hashes are made before tombstones are looked at: behind row-level security only a bare column finds its
           -- way into the index.
           select
             from (
                      select array[
                          afterword_mac(k.inner_block, k.outer_block, 'user', i.user_id),
                          afterword_mac(k.inner_block, k.outer_block, 'completion', i.completion_id),
                          case when i.user_id is null
                              then afterword_mac(k.inner_block, k.outer_block, 'conversation', i.conversation_id) end
                      ] as id_hashes
                        from erasure_keys k
                       where k.project_id = i.project_id
                      offset 0
                  ) m
             join tombstones t
               on t.project_id = i.project_id
              and t.id_hash = any (m.id_hashes)
       )
    on conflict (project_id, completion_id) do nothing
