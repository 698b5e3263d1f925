-- Keys that a browser may hold, keys that sign feedback tokens, and tokens taken back before they expire.

create table publishable_keys (
    key_id       text        not null,
    project_id   uuid        not null,
    name         text        not null,
    origins      text[]      not null,
    created_at   timestamptz not null,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    constraint publishable_keys_pkey primary key (key_id),
    constraint publishable_keys_project_fkey foreign key (project_id) references projects (project_id),
    constraint publishable_keys_id_form check (key_id ~ '^[a-z0-9]{16}$'),
    constraint publishable_keys_origins_some check (cardinality(origins) between 1 and 100)
);

comment on table publishable_keys is 'Keys that anyone who opens a page can read: they write unverified feedback and nothing else.';
comment on column publishable_keys.key_id is 'The key without its prefix, 16 of [a-z0-9]; it is no secret.';
comment on column publishable_keys.project_id is 'Project that every request with this key acts on.';
comment on column publishable_keys.name is 'What the operator calls it.';
comment on column publishable_keys.origins is 'Web origins, exactly as a browser sends them, from which the key and the project''s tokens are taken.';
comment on column publishable_keys.created_at is 'When it was made.';
comment on column publishable_keys.expires_at is 'From when on it is refused; null for never.';
comment on column publishable_keys.last_used_at is 'When it was last accepted, to the minute.';
comment on column publishable_keys.revoked_at is 'From when on it is refused because somebody said so.';

create index publishable_keys_by_project on publishable_keys (project_id, created_at);
create index publishable_keys_by_origin on publishable_keys using gin (origins);

alter table publishable_keys enable row level security;
alter table publishable_keys force row level security;
-- A browser asks whether its origin is known before it shows any key: such a transaction sees the keys of that origin.
create policy publishable_keys_of_transaction on publishable_keys
    using (
        project_id = any ((select afterword_projects())::uuid[])
        or key_id = (select nullif(current_setting('app.key_id', true), ''))
        or origins @> array[(select nullif(current_setting('app.origin', true), ''))]
    );
grant select, insert on publishable_keys to afterword_app;
grant update (last_used_at, revoked_at) on publishable_keys to afterword_app;

create table signing_keys (
    key_id       text        not null,
    project_id   uuid        not null,
    name         text        not null,
    algorithm    text        not null,
    secret       text,
    public_key   bytea,
    created_at   timestamptz not null,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    constraint signing_keys_pkey primary key (key_id),
    constraint signing_keys_project_fkey foreign key (project_id) references projects (project_id),
    constraint signing_keys_id_form check (key_id ~ '^[a-z0-9]{16}$'),
    constraint signing_keys_algorithm_whole check (
        (algorithm = 'HS256' and secret is not null and octet_length(secret) >= 43 and public_key is null)
        or (algorithm = 'EdDSA' and secret is null and public_key is not null and octet_length(public_key) = 32))
);

comment on table signing_keys is 'Keys that sign feedback tokens, each with one algorithm for good.';
comment on column signing_keys.key_id is 'The `kid` of its tokens, 16 of [a-z0-9].';
comment on column signing_keys.project_id is 'Project that its tokens act on.';
comment on column signing_keys.name is 'What the operator calls it.';
comment on column signing_keys.algorithm is 'HS256 or EdDSA; a token that names another one is refused.';
comment on column signing_keys.secret is 'HS256: the secret itself, because a signature cannot be checked with a hash of it.';
comment on column signing_keys.public_key is 'EdDSA: the 32 bytes of the Ed25519 public key; the private one is never here.';
comment on column signing_keys.created_at is 'When it was made.';
comment on column signing_keys.expires_at is 'From when on its tokens are refused; null for never.';
comment on column signing_keys.last_used_at is 'When a token of it was last accepted, to the minute.';
comment on column signing_keys.revoked_at is 'From when on its tokens are refused because somebody said so.';

create index signing_keys_by_project on signing_keys (project_id, created_at);

alter table signing_keys enable row level security;
alter table signing_keys force row level security;
-- No scope of the instance opens this table: a secret is read inside its project, or by the one key that a token names.
create policy signing_keys_of_transaction on signing_keys
    using (
        project_id = any ((select afterword_projects())::uuid[])
        or key_id = (select nullif(current_setting('app.key_id', true), ''))
    );
grant select, insert on signing_keys to afterword_app;
grant update (last_used_at, revoked_at) on signing_keys to afterword_app;

create table revoked_tokens (
    project_id uuid        not null,
    token_id   text        not null,
    revoked_at timestamptz not null,
    forget_at  timestamptz not null,
    constraint revoked_tokens_pkey primary key (project_id, token_id),
    constraint revoked_tokens_project_fkey foreign key (project_id) references projects (project_id),
    constraint revoked_tokens_id_length check (octet_length(token_id) between 1 and 64)
);

comment on table revoked_tokens is 'Feedback tokens that were taken back before they expired.';
comment on column revoked_tokens.project_id is 'Project that the token acted on.';
comment on column revoked_tokens.token_id is 'The `jti` of the token.';
comment on column revoked_tokens.revoked_at is 'When it was taken back.';
comment on column revoked_tokens.forget_at is 'When no token of this id can be valid any more, so that the row may go.';

alter table revoked_tokens enable row level security;
alter table revoked_tokens force row level security;
create policy revoked_tokens_of_transaction on revoked_tokens
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert, delete on revoked_tokens to afterword_app;

alter table projects add column token_used_at timestamptz;
comment on column projects.token_used_at is 'When a feedback token was first accepted; from then on only verified feedback counts unless asked otherwise.';
grant update (token_used_at) on projects to afterword_app;

alter table feedback add column granted_conversation_id text;
comment on column feedback.granted_conversation_id is 'Conversation that the token vouched for; the row is verified only where its completion belongs to it.';
