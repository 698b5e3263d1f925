-- store::groups::list (the feedback on them)
-- Name by name: `offset 0` keeps it a look-up by primary key, whatever the planner believes about tables that were
-- filled a moment ago. The reader sorts: these rows come nearly in their order, of which Postgres would make nothing.
select f.completion_id, f.feedback_id, f.signal, f.trust, f.granted_conversation_id, f.user_id, f.session_id, f.seq, f.supersedes,
       f.effective_at, f.received_at, f.thumb, f.reasons, f.comment, f.rating, f.rating_score, f.rating_min,
       f.rating_max, f.against, f.outcome, f.strength, f.shown_first, f.edited_text, f.edit_accepted,
       f.edit_truncated, f.next_completion_id, f.reason, f.turn, f.gap_ms, f.n_chars, f.n_total_chars, f.method,
       f.contains_code, f.visible_ms
  from unnest($2::text[]) as named (completion_id)
 cross join lateral (
           select *
             from feedback r
            where r.project_id = $1
              and r.completion_id = named.completion_id
           offset 0
       ) f
