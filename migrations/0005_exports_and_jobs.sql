create table exports (
    project_id      uuid        not null,
    export_id       uuid        not null,
    status          text        not null,
    recipe          text        not null,
    directory       text,
    n_done          bigint      not null,
    n_total         bigint      not null,
    problem         text,
    manifest        text,
    idempotency_key text,
    request_hash    bytea,
    created_by      text        not null,
    created_at      timestamptz not null,
    started_at      timestamptz,
    finished_at     timestamptz,
    constraint exports_pkey primary key (project_id, export_id),
    constraint exports_idempotency_key unique (project_id, idempotency_key),
    constraint exports_status_known check (status in ('queued', 'running', 'completed', 'failed', 'revoked')),
    constraint exports_completed_whole check ((status in ('completed', 'revoked')) = (manifest is not null)),
    constraint exports_failed_whole check ((status = 'failed') = (problem is not null))
);

-- As for completions: lz4 where this Postgres has it.
do $$
begin
    if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        alter table exports
            alter column manifest set compression lz4;
    end if;
end
$$;

comment on table exports is 'Runs that produce data-set files.';
comment on column exports.project_id is 'Project whose rows it holds.';
comment on column exports.export_id is 'UUIDv7 made by the service.';
comment on column exports.status is 'queued, running, completed, failed or revoked.';
comment on column exports.recipe is 'The fully resolved recipe as JSON.';
comment on column exports.directory is 'Folder below the project''s root, where one was asked for.';
comment on column exports.n_done is 'Prompts read so far.';
comment on column exports.n_total is 'Prompts to read; 0 until it is known.';
comment on column exports.problem is 'What went wrong as JSON: a code, a sentence and, for an empty export, the counted exclusions.';
comment on column exports.manifest is 'The manifest as JSON; written last (DS-3).';
comment on column exports.idempotency_key is 'The client''s Idempotency-Key.';
comment on column exports.request_hash is 'Hash of the request that the key came with; another request under it is refused.';
comment on column exports.created_by is 'Id of the key that asked for it.';
comment on column exports.created_at is 'When it was asked for.';
comment on column exports.started_at is 'When a worker first took it.';
comment on column exports.finished_at is 'When it ended.';

alter table exports enable row level security;
alter table exports force row level security;
create policy exports_of_transaction on exports
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on exports to afterword_app;
grant update (status, n_done, n_total, problem, manifest, started_at, finished_at) on exports to afterword_app;

create table jobs (
    job_id       uuid        not null,
    project_id   uuid        not null,
    kind         text        not null,
    subject_id   uuid        not null,
    lease_token  uuid,
    leased_until timestamptz,
    n_attempts   integer     not null,
    run_at       timestamptz not null,
    created_at   timestamptz not null,
    constraint jobs_pkey primary key (job_id),
    constraint jobs_kind_known check (kind in ('export')),
    constraint jobs_lease_whole check ((lease_token is null) = (leased_until is null))
);

comment on table jobs is 'Background work that is not done yet; finishing a job deletes its row.';
comment on column jobs.job_id is 'UUIDv7 made by the service.';
comment on column jobs.project_id is 'Project that the work is for.';
comment on column jobs.kind is 'What is to be done.';
comment on column jobs.subject_id is 'Which export it is to be done for.';
comment on column jobs.lease_token is 'Random token of the worker that holds it; checked again before anything is published.';
comment on column jobs.leased_until is 'Until when, by the database''s clock; afterwards another worker may take it.';
comment on column jobs.n_attempts is 'How often it was taken.';
comment on column jobs.run_at is 'Not before this moment.';
comment on column jobs.created_at is 'When it was queued.';

create index jobs_by_run_at on jobs (run_at);

alter table jobs enable row level security;
alter table jobs force row level security;
-- Workers serve every project; they say so for the one transaction in which they claim or end a job.
create policy jobs_of_transaction on jobs
    using (project_id = any ((select afterword_projects())::uuid[]) or (select afterword_scope()) = 'worker');
grant select, insert, delete on jobs to afterword_app;
grant update (lease_token, leased_until, n_attempts, run_at) on jobs to afterword_app;
