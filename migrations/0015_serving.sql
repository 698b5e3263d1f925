-- What serving engines say of their load, and what it was while each answer was made.
--
-- Samples are the operator's: an engine serves every project, and no project owns what it says of itself. So these two
-- tables have no project, and a scope of their own opens them instead: a transaction of a project's sees none of it.
comment on table projects is 'Tenants. Every row of every other table belongs to one of them, but for what serving engines say of themselves.';

create table serving_samples (
    target             text             not null,
    model              text             not null,
    slot_at            timestamptz      not null,
    rank               text             not null,
    sampled_at         timestamptz      not null,
    kv_cache_usage     double precision,
    kv_reserved        double precision,
    kv_capacity_tokens double precision,
    n_running          double precision,
    n_waiting          double precision,
    n_preempted        double precision,
    constraint serving_samples_pkey primary key (target, model, slot_at, rank),
    constraint serving_samples_kv_cache_usage_range check (kv_cache_usage between 0 and 1),
    constraint serving_samples_kv_reserved_range check (kv_reserved between 0 and 1)
);

comment on table serving_samples is 'What engines said of their load in the last days, one row for each time, model and rank.';
comment on column serving_samples.target is 'Name of the target in the configuration.';
comment on column serving_samples.model is 'What completions call the model; empty where nobody says.';
comment on column serving_samples.slot_at is 'Beginning of the interval that the sample falls into: of services that ask the same engine, one writes.';
comment on column serving_samples.rank is 'The replica within the engine; empty where there is one.';
comment on column serving_samples.sampled_at is 'When the engine''s page was received, by the service''s clock.';
comment on column serving_samples.kv_cache_usage is 'Share of the KV cache in use, 0 to 1; null where the engine did not say anything possible.';
comment on column serving_samples.kv_reserved is 'Share of the token budget that is reserved, used or not, where an engine tells that instead.';
comment on column serving_samples.kv_capacity_tokens is 'KV cache in tokens.';
comment on column serving_samples.n_running is 'Requests that were being answered.';
comment on column serving_samples.n_waiting is 'Requests that waited for room.';
comment on column serving_samples.n_preempted is 'Requests that were preempted since the engine started.';

-- What has become old is found by its time alone.
create index serving_samples_by_slot on serving_samples (slot_at);

create table serving_minutes (
    target             text             not null,
    model              text             not null,
    minute_at          timestamptz      not null,
    rank               text             not null,
    n_samples          integer          not null,
    kv_cache_usage_avg double precision,
    kv_cache_usage_max double precision,
    kv_reserved_avg    double precision,
    kv_reserved_max    double precision,
    n_running_avg      double precision,
    n_running_max      double precision,
    n_waiting_avg      double precision,
    n_waiting_max      double precision,
    n_preempted_max    double precision,
    constraint serving_minutes_pkey primary key (target, model, minute_at, rank)
);

comment on table serving_minutes is 'Older samples, rolled up by the minute.';
comment on column serving_minutes.target is 'Name of the target in the configuration.';
comment on column serving_minutes.model is 'What completions call the model; empty where nobody says.';
comment on column serving_minutes.minute_at is 'Beginning of the minute.';
comment on column serving_minutes.rank is 'The replica within the engine; empty where there is one.';
comment on column serving_minutes.n_samples is 'Samples of the minute.';
comment on column serving_minutes.kv_cache_usage_avg is 'Mean of their `kv_cache_usage`, of those that have one.';
comment on column serving_minutes.kv_cache_usage_max is 'The largest.';
comment on column serving_minutes.kv_reserved_avg is 'Mean of their `kv_reserved`.';
comment on column serving_minutes.kv_reserved_max is 'The largest.';
comment on column serving_minutes.n_running_avg is 'Mean of their `n_running`.';
comment on column serving_minutes.n_running_max is 'The largest.';
comment on column serving_minutes.n_waiting_avg is 'Mean of their `n_waiting`.';
comment on column serving_minutes.n_waiting_max is 'The largest.';
comment on column serving_minutes.n_preempted_max is 'The largest of their `n_preempted`.';

create index serving_minutes_by_minute on serving_minutes (minute_at);

alter table serving_samples enable row level security;
alter table serving_samples force row level security;
create policy serving_samples_of_operator on serving_samples
    using ((select afterword_scope()) = 'serving');
grant select, insert, delete on serving_samples to afterword_app;
alter table serving_minutes enable row level security;
alter table serving_minutes force row level security;
create policy serving_minutes_of_operator on serving_minutes
    using ((select afterword_scope()) = 'serving');
grant select, insert, delete on serving_minutes to afterword_app;

create table serving_facts (
    project_id      uuid             not null,
    completion_id   text             not null,
    kv_at_end       double precision,
    kv_mean         double precision,
    kv_max          double precision,
    n_waiting_max   integer,
    preempted       boolean,
    kv_source       text             not null,
    kv_scope        text             not null,
    kv_staleness_ms integer,
    constraint serving_facts_pkey primary key (project_id, completion_id),
    constraint serving_facts_kv_source_known check (kv_source in ('client', 'scraper')),
    constraint serving_facts_kv_scope_known check (kv_scope in ('instance', 'model')),
    constraint serving_facts_kv_at_end_range check (kv_at_end between 0 and 1),
    constraint serving_facts_kv_mean_range check (kv_mean between 0 and 1),
    constraint serving_facts_kv_max_range check (kv_max between 0 and 1),
    -- Facts are made of a completion that is there, and go with it. Both tables have the project and the completion in
    -- their keys, so that they can be distributed together (KEY-1).
    constraint serving_facts_completion_fkey foreign key (project_id, completion_id)
        references completions (project_id, completion_id) on delete cascade
);

comment on table serving_facts is 'The load of the engines while an answer was made, joined by a worker; no row where nobody knows.';
comment on column serving_facts.project_id is 'Project of the completion.';
comment on column serving_facts.completion_id is 'The completion.';
comment on column serving_facts.kv_at_end is 'Share of the KV cache in use when the last token was out; the client''s own `kv_cache_usage` where it sent one.';
comment on column serving_facts.kv_mean is 'Mean of the share while the answer was made.';
comment on column serving_facts.kv_max is 'The largest share of any engine that may have made it.';
comment on column serving_facts.n_waiting_max is 'The longest queue of any of them.';
comment on column serving_facts.preempted is 'Whether any request was preempted meanwhile at any of them.';
comment on column serving_facts.kv_source is 'Where `kv_at_end` is from: client or scraper.';
comment on column serving_facts.kv_scope is 'Whether the rest tells of the instance that answered or of all that serve the model.';
comment on column serving_facts.kv_staleness_ms is 'How far the sample of `kv_at_end` is from the end, in milliseconds; null for a client''s.';

alter table serving_facts enable row level security;
alter table serving_facts force row level security;
create policy serving_facts_of_transaction on serving_facts
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on serving_facts to afterword_app;

create table serving_progress (
    project_id       uuid        not null,
    received_through timestamptz not null,
    constraint serving_progress_pkey primary key (project_id)
);

comment on table serving_progress is 'How far the joining of serving facts has come.';
comment on column serving_progress.project_id is 'Project whose completions are joined.';
comment on column serving_progress.received_through is 'Completions that were received before this are joined, or cannot be.';

alter table serving_progress enable row level security;
alter table serving_progress force row level security;
create policy serving_progress_of_transaction on serving_progress
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert, update on serving_progress to afterword_app;
