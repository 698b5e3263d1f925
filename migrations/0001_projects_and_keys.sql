-- The service works as `afterword_app`: a role that owns nothing, may not bypass row-level security, and cannot log
-- in by itself. Whoever runs the migrations owns the tables.
do $$
begin
    if not exists (select from pg_roles where rolname = 'afterword_app') then
        create role afterword_app nologin nosuperuser nobypassrls nocreatedb nocreaterole;
    end if;
end
$$;

grant usage on schema public to afterword_app;

-- The projects that the present transaction may touch: a comma-separated list of ids, set with `set local`.
-- Policies call it inside a sub-select, so that Postgres evaluates it once for a statement and not once for a row.
create function afterword_projects() returns uuid[]
    language sql
    stable
    parallel safe
    return string_to_array(nullif(current_setting('app.project_ids', true), ''), ',')::uuid[];

create function afterword_scope() returns text
    language sql
    stable
    parallel safe
    return nullif(current_setting('app.scope', true), '');

create table projects (
    project_id uuid        not null,
    name       text        not null,
    created_at timestamptz not null,
    constraint projects_pkey primary key (project_id),
    constraint projects_name_key unique (name),
    constraint projects_name_length check (octet_length(name) between 1 and 256)
);

comment on table projects is 'Tenants. Every row of every other table belongs to one of them.';
comment on column projects.project_id is 'UUIDv7 made by the service.';
comment on column projects.name is 'Name that operators type; unique on the instance.';
comment on column projects.created_at is 'When it was created, by the service''s clock.';

alter table projects enable row level security;
alter table projects force row level security;
create policy projects_of_transaction on projects
    using (project_id = any ((select afterword_projects())::uuid[]) or (select afterword_scope()) = 'operator');
grant select, insert on projects to afterword_app;

create table keys (
    key_id       text        not null,
    project_id   uuid        not null,
    name         text        not null,
    role         text        not null,
    secret_hash  bytea       not null,
    created_at   timestamptz not null,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    constraint keys_pkey primary key (key_id),
    constraint keys_project_fkey foreign key (project_id) references projects (project_id),
    constraint keys_id_form check (key_id ~ '^[a-z0-9]{16}$'),
    constraint keys_role_known check (role in ('ingest', 'viewer', 'analyst', 'admin')),
    constraint keys_secret_hash_length check (octet_length(secret_hash) = 32)
);

comment on table keys is 'Secret keys. Only a hash of the secret part is kept.';
comment on column keys.key_id is 'Public part of the key, 16 of [a-z0-9]; what a request is looked up by.';
comment on column keys.project_id is 'Project that every request with this key acts on.';
comment on column keys.name is 'What the operator calls it.';
comment on column keys.role is 'What the key may do: ingest, viewer, analyst or admin.';
comment on column keys.secret_hash is 'SHA-256 of the secret part; the secret has 256 random bits, so that no salt is needed.';
comment on column keys.created_at is 'When it was made.';
comment on column keys.expires_at is 'From when on it is refused; null for never.';
comment on column keys.last_used_at is 'When it was last accepted, to the minute.';
comment on column keys.revoked_at is 'From when on it is refused because somebody said so.';

create index keys_by_project on keys (project_id, created_at);

alter table keys enable row level security;
alter table keys force row level security;
-- Authentication happens before the project is known: a transaction sees the one key that the request presented.
create policy keys_of_transaction on keys
    using (
        project_id = any ((select afterword_projects())::uuid[])
        or key_id = (select nullif(current_setting('app.key_id', true), ''))
        or (select afterword_scope()) = 'operator'
    );
grant select, insert on keys to afterword_app;
grant update (last_used_at, revoked_at) on keys to afterword_app;
