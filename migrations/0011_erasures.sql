-- Erasing a user (PRIV-1): who must not come back, which exports hold whose rows, and what a project says of consent.

-- The keyed hash of an id: HMAC-SHA-256, cut to 16 bytes. The two blocks are the project's secret, padded and masked as
-- HMAC asks for, so that the hash is an expression that Postgres inlines into the statement around it.
create function afterword_mac(inner_block bytea, outer_block bytea, kind text, id text) returns bytea
    language sql
    stable
    parallel safe
    return substr(sha256(outer_block || sha256(inner_block || convert_to(kind || ':' || id, 'UTF8'))), 1, 16);

create table erasure_keys (
    project_id  uuid        not null,
    inner_block bytea       not null,
    outer_block bytea       not null,
    created_at  timestamptz not null,
    constraint erasure_keys_pkey primary key (project_id),
    constraint erasure_keys_blocks_length check (octet_length(inner_block) = 64 and octet_length(outer_block) = 64)
);

comment on table erasure_keys is 'The secret with which a project''s ids are hashed where they must be recognised and not be kept.';
comment on column erasure_keys.project_id is 'Project whose ids are hashed.';
comment on column erasure_keys.inner_block is 'The secret of 256 random bits as the inner block of HMAC-SHA-256.';
comment on column erasure_keys.outer_block is 'The same as the outer block.';
comment on column erasure_keys.created_at is 'When it was made, with the first export or erasure; it never changes.';

alter table erasure_keys enable row level security;
alter table erasure_keys force row level security;
create policy erasure_keys_of_transaction on erasure_keys
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on erasure_keys to afterword_app;

create table erasures (
    project_id    uuid        not null,
    erasure_id    uuid        not null,
    user_hash     bytea       not null,
    user_id       text,
    status        text        not null,
    delete_files  boolean     not null,
    n_completions bigint      not null,
    n_feedback    bigint      not null,
    n_exposures   bigint      not null,
    n_exports     bigint      not null,
    requested_by  text        not null,
    created_at    timestamptz not null,
    finished_at   timestamptz,
    constraint erasures_pkey primary key (project_id, erasure_id),
    constraint erasures_status_known check (status in ('running', 'completed')),
    constraint erasures_user_hash_length check (octet_length(user_hash) = 16),
    constraint erasures_user_forgotten check ((status = 'completed') = (user_id is null)),
    constraint erasures_finished_whole check ((status = 'completed') = (finished_at is not null))
);

comment on table erasures is 'Removals of everything of one user, asked for once and carried out by a job.';
comment on column erasures.project_id is 'Project of the user.';
comment on column erasures.erasure_id is 'UUIDv7 made by the service.';
comment on column erasures.user_hash is 'Keyed hash of the user''s id.';
comment on column erasures.user_id is 'The user''s id, which the job needs; null once its rows are gone.';
comment on column erasures.status is 'running or completed.';
comment on column erasures.delete_files is 'Whether the files of the exports that held the user''s rows are deleted, too.';
comment on column erasures.n_completions is 'Completions deleted so far.';
comment on column erasures.n_feedback is 'Items of feedback deleted so far.';
comment on column erasures.n_exposures is 'Exposures deleted so far.';
comment on column erasures.n_exports is 'Exports revoked so far.';
comment on column erasures.requested_by is 'Id of the key that asked for it, or `operator`.';
comment on column erasures.created_at is 'When it was asked for; from then on nothing of the user''s is taken.';
comment on column erasures.finished_at is 'When it was done.';

-- Asking again for a user whose erasure has not ended is the same erasure.
create unique index erasures_running on erasures (project_id, user_hash) where status = 'running';

alter table erasures enable row level security;
alter table erasures force row level security;
create policy erasures_of_transaction on erasures
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on erasures to afterword_app;
grant update (user_id, status, delete_files, n_completions, n_feedback, n_exposures, n_exports, finished_at)
    on erasures to afterword_app;

create table tombstones (
    project_id uuid        not null,
    id_hash    bytea       not null,
    kind       text        not null,
    user_hash  bytea       not null,
    created_at timestamptz not null,
    constraint tombstones_pkey primary key (project_id, id_hash),
    constraint tombstones_kind_known check (kind in ('user', 'conversation', 'completion')),
    constraint tombstones_hashes_length check (octet_length(id_hash) = 16 and octet_length(user_hash) = 16)
);

comment on table tombstones is 'Ids that were erased and are refused from then on, as keyed hashes.';
comment on column tombstones.project_id is 'Project that refuses them.';
comment on column tombstones.id_hash is 'Keyed hash of the kind and the id.';
comment on column tombstones.kind is 'user, conversation (refused where a completion names no user) or completion.';
comment on column tombstones.user_hash is 'Keyed hash of the user whose erasure it was.';
comment on column tombstones.created_at is 'Since when it is refused.';

create index tombstones_by_user on tombstones (project_id, user_hash, kind);

alter table tombstones enable row level security;
alter table tombstones force row level security;
create policy tombstones_of_transaction on tombstones
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on tombstones to afterword_app;

-- A row holds the hashes of one export that begin with one byte: 256 rows at most for an export, and a question about
-- one id reads one of them. A row for each hash would take four times the room.
create table export_holders (
    project_id uuid     not null,
    bucket     smallint not null,
    export_id  uuid     not null,
    id_hashes  bytea[]  not null,
    constraint export_holders_pkey primary key (project_id, bucket, export_id),
    constraint export_holders_bucket_range check (bucket between 0 and 255)
);

-- Hashes do not compress; trying costs time.
alter table export_holders alter column id_hashes set storage external;

comment on table export_holders is 'Whose rows an export holds, as keyed hashes; written in the transaction that publishes it.';
comment on column export_holders.project_id is 'Project of the export.';
comment on column export_holders.bucket is 'First byte of the hashes of the row.';
comment on column export_holders.export_id is 'The export.';
comment on column export_holders.id_hashes is 'Keyed hashes of users, and of the conversations of completions without a user.';

alter table export_holders enable row level security;
alter table export_holders force row level security;
create policy export_holders_of_transaction on export_holders
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on export_holders to afterword_app;

alter table exports add column written_to text not null default 'service';
comment on column exports.written_to is 'service: its files are in the place for exports; folder: they went into a folder of an operator''s.';
alter table exports add column erasure_id uuid;
comment on column exports.erasure_id is 'The erasure that revoked it.';
alter table exports
    add constraint exports_written_to_known check (written_to in ('service', 'folder')) not valid;
alter table exports validate constraint exports_written_to_known;
grant update (erasure_id) on exports to afterword_app;

alter table projects add column consent_default boolean;
comment on column projects.consent_default is 'Whether completions that say nothing of consent may be used for training; null where nobody declared it.';
grant update (consent_default) on projects to afterword_app;

alter table jobs drop constraint jobs_kind_known;
alter table jobs add constraint jobs_kind_known check (kind in ('export', 'erase'));
comment on column jobs.subject_id is 'Which export or erasure it is to be done for.';

-- Rows are deleted by erasures and by nothing else: outside of a transaction that says that it is one, a delete finds
-- no row.
create policy completions_erased on completions as restrictive for delete
    using ((select afterword_scope()) = 'erasure');
create policy feedback_erased on feedback as restrictive for delete
    using ((select afterword_scope()) = 'erasure');
create policy exposures_erased on exposures as restrictive for delete
    using ((select afterword_scope()) = 'erasure');
grant delete on completions, feedback, exposures to afterword_app;
