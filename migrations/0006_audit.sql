create table audit (
    project_id uuid        not null,
    audit_id   uuid        not null,
    at         timestamptz not null,
    actor      text        not null,
    action     text        not null,
    subject    text        not null,
    details    jsonb       not null,
    constraint audit_pkey primary key (project_id, audit_id)
);

comment on table audit is 'Who did what that others may ask about; written once, never changed.';
comment on column audit.project_id is 'Project that it concerns.';
comment on column audit.audit_id is 'UUIDv7 made by the service.';
comment on column audit.at is 'When, by the service''s clock.';
comment on column audit.actor is 'Id of the key, or `operator` for the command line.';
comment on column audit.action is 'What was done, such as key.created or export.completed.';
comment on column audit.subject is 'What it was done to: an id, never a text of a user''s.';
comment on column audit.details is 'Numbers and names that explain it; no user data.';

alter table audit enable row level security;
alter table audit force row level security;
create policy audit_of_transaction on audit
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on audit to afterword_app;
