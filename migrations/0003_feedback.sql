-- One row for each reaction. There is no foreign key to completions: feedback may come first (LATE-1).
create table feedback (
    project_id         uuid             not null,
    completion_id      text             not null,
    feedback_id        uuid             not null,
    content_hash       bytea            not null,
    signal             text             not null,
    trust              text             not null,
    user_id            text,
    session_id         text,
    seq                bigint,
    supersedes         uuid,
    weight             double precision not null,
    occurred_at        timestamptz,
    age_ms             bigint,
    sent_at            timestamptz,
    effective_at       timestamptz      not null,
    received_at        timestamptz      not null,
    sdk                text,
    thumb              text,
    reasons            text[],
    comment            text,
    rating             double precision,
    rating_score       double precision,
    rating_min         double precision,
    rating_max         double precision,
    against            text,
    outcome            text,
    strength           double precision,
    shown_first        text,
    edited_text        text,
    edit_accepted      boolean,
    edit_truncated     boolean,
    next_completion_id text,
    reason             text,
    turn               integer,
    gap_ms             bigint,
    n_chars            integer,
    n_total_chars      integer,
    method             text,
    contains_code      boolean,
    visible_ms         bigint,
    constraint feedback_pkey primary key (project_id, completion_id, feedback_id),
    constraint feedback_completion_id_length check (octet_length(completion_id) between 1 and 256),
    constraint feedback_content_hash_length check (octet_length(content_hash) = 16),
    constraint feedback_signal_known check (signal in (
        'thumb', 'rating', 'preference', 'edit', 'regenerate', 'continuation', 'copy', 'accept', 'comment',
        'impression', 'dwell')),
    constraint feedback_trust_known check (trust in ('verified', 'unverified')),
    constraint feedback_weight_range check (weight >= 1),
    constraint feedback_thumb_whole check (
        (signal = 'thumb') = (thumb is not null) and (thumb is null or thumb in ('up', 'down', 'none'))),
    constraint feedback_rating_whole check ((signal = 'rating') = (rating is not null) and rating between 0 and 1),
    constraint feedback_rating_points_whole check (num_nonnulls(rating_score, rating_min, rating_max) in (0, 3)),
    constraint feedback_preference_whole check (
        (signal = 'preference') = (against is not null)
        and (signal = 'preference') = (outcome is not null)
        and (outcome is null or outcome in ('better', 'worse', 'tie', 'both_bad'))
        and against <> completion_id),
    constraint feedback_edit_whole check ((signal = 'edit') = (edited_text is not null)),
    constraint feedback_dwell_whole check ((signal = 'dwell') = (visible_ms is not null))
);

-- As for completions: lz4 where this Postgres has it.
do $$
begin
    if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        alter table feedback
            alter column edited_text set compression lz4,
            alter column comment set compression lz4;
    end if;
end
$$;

comment on table feedback is 'Reactions to completions, explicit and implicit; the history is kept whole.';
comment on column feedback.project_id is 'Project of the credential that wrote the row.';
comment on column feedback.completion_id is 'Completion that the reaction is about, by its id or an alias; it may not have arrived.';
comment on column feedback.feedback_id is 'The client''s id of the item, a UUIDv7 kept across its retries.';
comment on column feedback.content_hash is 'Hash of the item as it was sent, without age_ms (ACK-2).';
comment on column feedback.signal is 'Kind of the reaction.';
comment on column feedback.trust is 'verified where a backend or a signed token vouches for it.';
comment on column feedback.user_id is 'Who reacted; an opaque id of the client''s.';
comment on column feedback.session_id is 'The client''s session.';
comment on column feedback.seq is 'Place in the session.';
comment on column feedback.supersedes is 'Earlier item that this one replaces.';
comment on column feedback.weight is 'One over the client''s sampling rate; 1 for explicit signals.';
comment on column feedback.occurred_at is 'The client''s time of the reaction, as sent.';
comment on column feedback.age_ms is 'The client''s monotonic age of the reaction when it was sent.';
comment on column feedback.sent_at is 'The client''s time of sending, as sent.';
comment on column feedback.effective_at is 'Time used for ordering: occurred_at, corrected where the client''s clock was off by more than five minutes.';
comment on column feedback.received_at is 'Our time of arrival.';
comment on column feedback.sdk is 'The client''s library and version.';
comment on column feedback.thumb is 'thumb: up, down, or none where it was taken back.';
comment on column feedback.reasons is 'thumb: stable reason codes.';
comment on column feedback.comment is 'thumb, comment: free text.';
comment on column feedback.rating is 'rating: scaled to 0..1.';
comment on column feedback.rating_score is 'rating: points as given.';
comment on column feedback.rating_min is 'rating: lowest points of the scale.';
comment on column feedback.rating_max is 'rating: highest points of the scale.';
comment on column feedback.against is 'preference: the other completion.';
comment on column feedback.outcome is 'preference: how this completion did.';
comment on column feedback.strength is 'preference: how strongly.';
comment on column feedback.shown_first is 'preference: this, against or unknown.';
comment on column feedback.edited_text is 'edit: the user''s own answer.';
comment on column feedback.edit_accepted is 'edit: whether the user kept it.';
comment on column feedback.edit_truncated is 'edit: whether the text was cut on its way.';
comment on column feedback.next_completion_id is 'regenerate, continuation: the completion that came next.';
comment on column feedback.reason is 'regenerate: stable code.';
comment on column feedback.turn is 'continuation: place of the next turn.';
comment on column feedback.gap_ms is 'continuation: milliseconds between the answer and the next turn.';
comment on column feedback.n_chars is 'copy: characters copied.';
comment on column feedback.n_total_chars is 'copy: characters of the whole answer.';
comment on column feedback.method is 'copy: selection or button; accept: insert, apply or send.';
comment on column feedback.contains_code is 'copy: whether code was among it.';
comment on column feedback.visible_ms is 'dwell: milliseconds on screen.';

alter table feedback enable row level security;
alter table feedback force row level security;
create policy feedback_of_transaction on feedback
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on feedback to afterword_app;
