-- store::feedback::insert
-- One statement for a batch; the keys come sorted, so that two writers meet in one order.
insert into feedback (
    project_id, completion_id, feedback_id, content_hash, signal, trust, user_id, session_id, seq, supersedes,
    weight, occurred_at, age_ms, sent_at, effective_at, received_at, sdk, thumb, reasons, comment, rating,
    rating_score, rating_min, rating_max, against, outcome, strength, shown_first, edited_text, edit_accepted,
    edit_truncated, next_completion_id, reason, turn, gap_ms, n_chars, n_total_chars, method, contains_code,
    visible_ms, granted_conversation_id
)
select
    i.project_id, i.completion_id, i.feedback_id, i.content_hash, i.signal, i.trust, i.user_id, i.session_id,
    i.seq, i.supersedes, i.weight, i.occurred_at, i.age_ms, i.sent_at, i.effective_at, i.received_at, i.sdk,
    i.thumb,
    case when i.reasons is null then null else array(select jsonb_array_elements_text(i.reasons::jsonb)) end,
    i.comment, i.rating, i.rating_score, i.rating_min, i.rating_max, i.against, i.outcome, i.strength,
    i.shown_first, i.edited_text, i.edit_accepted, i.edit_truncated, i.next_completion_id, i.reason, i.turn,
    i.gap_ms, i.n_chars, i.n_total_chars, i.method, i.contains_code, i.visible_ms,
    i.granted_conversation_id
  from unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::bigint[], $10::uuid[], $11::double precision[], $12::timestamptz[], $13::bigint[], $14::timestamptz[],
    $15::timestamptz[], $16::timestamptz[], $17::text[], $18::text[], $19::text[], $20::text[],
    $21::double precision[], $22::double precision[], $23::double precision[], $24::double precision[],
    $25::text[], $26::text[], $27::double precision[], $28::text[], $29::text[], $30::boolean[],
    $31::boolean[], $32::text[], $33::text[], $34::integer[], $35::bigint[], $36::integer[], $37::integer[],
    $38::text[], $39::boolean[], $40::bigint[], $41::text[]
  ) as i (
    project_id, completion_id, feedback_id, content_hash, signal, trust, user_id, session_id, seq, supersedes,
    weight, occurred_at, age_ms, sent_at, effective_at, received_at, sdk, thumb, reasons, comment, rating,
    rating_score, rating_min, rating_max, against, outcome, strength, shown_first, edited_text, edit_accepted,
    edit_truncated, next_completion_id, reason, turn, gap_ms, n_chars, n_total_chars, method, contains_code,
    visible_ms, granted_conversation_id
  )
    on conflict (project_id, completion_id, feedback_id) do nothing
returning project_id, completion_id, feedback_id
