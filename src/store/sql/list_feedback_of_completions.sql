-- store::groups::list (the feedback on them)
select f.completion_id, f.feedback_id, f.signal, f.trust, f.user_id, f.session_id, f.seq, f.supersedes,
       f.effective_at, f.received_at, f.thumb, f.reasons, f.comment, f.rating, f.rating_score, f.rating_min,
       f.rating_max, f.against, f.outcome, f.strength, f.shown_first, f.edited_text, f.edit_accepted,
       f.edit_truncated, f.next_completion_id, f.reason, f.turn, f.gap_ms, f.n_chars, f.n_total_chars, f.method,
       f.contains_code, f.visible_ms
  from feedback f
 where f.project_id = $1
   and f.completion_id = any ($2)
 order by f.completion_id, f.feedback_id
