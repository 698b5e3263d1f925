-- store::feedback::insert
-- One statement for a batch; the keys come sorted, so that two writers meet in one order.
insert into feedback (
    project_id, completion_id, feedback_id, content_hash, signal, trust, granted_conversation_id, user_id,
    session_id, seq, supersedes, weight, occurred_at, age_ms, sent_at, effective_at, received_at, sdk, thumb,
    reasons, comment, rating, rating_score, rating_min, rating_max, against, outcome, strength, shown_first,
    edited_text, edit_accepted, edit_truncated, next_completion_id, reason, turn, gap_ms, n_chars, n_total_chars,
    method, contains_code, visible_ms
)
select
    i.project_id, i.completion_id, i.feedback_id, i.content_hash, i.signal, i.trust, i.granted_conversation_id,
    i.user_id, i.session_id, i.seq, i.supersedes, i.weight, i.occurred_at, i.age_ms, i.sent_at, i.effective_at,
    i.received_at, i.sdk, i.thumb, i.reasons, i.comment, i.rating, i.rating_score, i.rating_min, i.rating_max,
    i.against, i.outcome, i.strength, i.shown_first, i.edited_text, i.edit_accepted, i.edit_truncated,
    i.next_completion_id, i.reason, i.turn, i.gap_ms, i.n_chars, i.n_total_chars, i.method, i.contains_code,
    i.visible_ms
  from unnest($1::feedback_in[]) as i
 -- What was erased does not come back (PRIV-1). Whether anything was is asked once; only then every row is looked at.
 where not (select exists (select from tombstones where project_id = any ((select afterword_projects())::uuid[])))
    or not exists (
           -- The hashes are made before tombstones are looked at: behind row-level security only a bare column finds its
           -- way into the index.
           select
             from (
                      select array[
                          afterword_mac(k.inner_block, k.outer_block, 'user', i.user_id),
                          afterword_mac(k.inner_block, k.outer_block, 'completion', i.completion_id)
                      ] as id_hashes
                        from erasure_keys k
                       where k.project_id = i.project_id
                      offset 0
                  ) m
             join tombstones t
               on t.project_id = i.project_id
              and t.id_hash = any (m.id_hashes)
       )
    on conflict (project_id, completion_id, feedback_id) do nothing
