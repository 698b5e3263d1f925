-- One row for each model answer. The primary key begins with the project and contains the completion's id, so that the
-- table can be distributed by either on a Postgres cluster without a change (KEY-1).
create table completions (
    project_id           uuid             not null,
    completion_id        text             not null,
    content_hash         bytea            not null,
    prompt_hash          bytea            not null,
    model                text             not null,
    requested_model      text,
    prompt               text             not null,
    response             text             not null,
    tools                text,
    params               text,
    finish_reason        text,
    conversation_id      text,
    turn_index           integer,
    parent_completion_id text,
    attempt              integer,
    user_id              text,
    experiment           text,
    variant              text,
    task                 text,
    language             text,
    tags                 jsonb,
    input_tokens         integer,
    output_tokens        integer,
    cached_input_tokens  integer,
    reasoning_tokens     integer,
    started_at           timestamptz,
    ttft_ms              double precision,
    itl_ms               double precision,
    latency_ms           double precision,
    queue_ms             double precision,
    cost_usd             double precision,
    served_by            text,
    kv_cache_usage       double precision,
    n_waiting            integer,
    max_model_len        integer,
    consent_training     boolean,
    rating_solicited     boolean,
    solicit_prob         double precision,
    aliases              text[],
    created_at           timestamptz,
    received_at          timestamptz      not null,
    constraint completions_pkey primary key (project_id, completion_id),
    constraint completions_id_length check (octet_length(completion_id) between 1 and 256),
    constraint completions_content_hash_length check (octet_length(content_hash) = 16),
    constraint completions_prompt_hash_length check (octet_length(prompt_hash) = 16),
    constraint completions_solicit_prob_range check (solicit_prob between 0 and 1),
    constraint completions_kv_cache_usage_range check (kv_cache_usage between 0 and 1)
);

-- lz4 compresses and decompresses several times faster than the default and costs a little space. A Postgres may have
-- been built without it, as the one is that the program fetches where it finds no other; the default then stays.
do $$
begin
    if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        alter table completions
            alter column prompt set compression lz4,
            alter column response set compression lz4,
            alter column tools set compression lz4;
    end if;
end
$$;

comment on table completions is 'Model answers, each with its prompt and with how it was made and served.';
comment on column completions.project_id is 'Project of the key that wrote the row.';
comment on column completions.completion_id is 'The client''s id; opaque.';
comment on column completions.content_hash is 'Hash of the item as it was sent: the same id with other content is a conflict (ACK-2).';
comment on column completions.prompt_hash is 'Hash of the prompt''s messages and the tools; equal for two answers to one prompt.';
comment on column completions.model is 'Model that answered.';
comment on column completions.requested_model is 'Model that was asked for, where it differs.';
comment on column completions.prompt is 'JSON list of the messages sent to the model, as they came.';
comment on column completions.response is 'JSON message of the answer, as it came.';
comment on column completions.tools is 'JSON list of the tools offered to the model.';
comment on column completions.params is 'JSON object of the sampling settings.';
comment on column completions.finish_reason is 'Why the model stopped, in the engine''s words.';
comment on column completions.conversation_id is 'Conversation that the turn belongs to.';
comment on column completions.turn_index is 'Place of the turn in its conversation, from 0.';
comment on column completions.parent_completion_id is 'Completion that this one regenerates.';
comment on column completions.attempt is 'Which attempt at the turn this is, from 1.';
comment on column completions.user_id is 'Who asked; an opaque id of the client''s.';
comment on column completions.experiment is 'Key of the experiment that chose the model.';
comment on column completions.variant is 'Variant that was assigned.';
comment on column completions.task is 'Kind of work.';
comment on column completions.language is 'Language tag.';
comment on column completions.tags is 'Free labels, text to text.';
comment on column completions.input_tokens is 'Tokens of the prompt.';
comment on column completions.output_tokens is 'Tokens of the response.';
comment on column completions.cached_input_tokens is 'Tokens of the prompt that the engine''s cache held.';
comment on column completions.reasoning_tokens is 'Tokens of reasoning outside the response.';
comment on column completions.started_at is 'When the request reached the model.';
comment on column completions.ttft_ms is 'Milliseconds to the first token.';
comment on column completions.itl_ms is 'Mean milliseconds between tokens.';
comment on column completions.latency_ms is 'Milliseconds from request to last token.';
comment on column completions.queue_ms is 'Milliseconds in the engine''s queue.';
comment on column completions.cost_usd is 'Price of the answer in US dollars.';
comment on column completions.served_by is 'Name of the serving instance.';
comment on column completions.kv_cache_usage is 'Share of the instance''s KV cache in use, 0 to 1.';
comment on column completions.n_waiting is 'Requests waiting at the instance.';
comment on column completions.max_model_len is 'Context length of the model in tokens.';
comment on column completions.consent_training is 'Whether the answer may be used for training; null where nobody said.';
comment on column completions.rating_solicited is 'Whether a rating was asked for at random.';
comment on column completions.solicit_prob is 'Probability with which it was.';
comment on column completions.aliases is 'Other ids under which feedback may name this completion.';
comment on column completions.created_at is 'The client''s time of the answer.';
comment on column completions.received_at is 'Our time of arrival.';

-- Exports read a project in ranges of the prompt's hash, so that answers to one prompt come together.
create index completions_by_prompt on completions (project_id, prompt_hash);
-- Comparisons read the completions of two models, or of one experiment, in a window of time.
create index completions_by_model on completions (project_id, model, received_at);
create index completions_by_experiment on completions (project_id, experiment, received_at)
    where experiment is not null;
-- A regeneration is an outcome of its parent's turn.
create index completions_by_parent on completions (project_id, parent_completion_id)
    where parent_completion_id is not null;

alter table completions enable row level security;
alter table completions force row level security;
create policy completions_of_transaction on completions
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on completions to afterword_app;
