-- Direct choices are few among reactions, and comparisons begin with them. No other row is in this index.
create index feedback_preferences on feedback (project_id, completion_id)
    where signal = 'preference';

create table kept_comparisons (
    project_id    uuid        not null,
    question_hash bytea       not null,
    question      text        not null,
    json          text        not null,
    page          text        not null,
    plain         text        not null,
    plot          text        not null,
    computed_at   timestamptz not null,
    took_ms       bigint      not null,
    asked_at      timestamptz not null,
    claimed_until timestamptz,
    constraint kept_comparisons_pkey primary key (project_id, question_hash),
    constraint kept_comparisons_hash_length check (octet_length(question_hash) = 16)
);

-- As for completions: lz4 where this Postgres has it.
do $$
begin
    if exists (select from pg_settings where name = 'default_toast_compression' and 'lz4' = any (enumvals)) then
        alter table kept_comparisons
            alter column json set compression lz4,
            alter column page set compression lz4,
            alter column plain set compression lz4,
            alter column plot set compression lz4;
    end if;
end
$$;

comment on table kept_comparisons is 'Comparisons as they were computed, in every form in which they are told; a worker computes them again.';
comment on column kept_comparisons.project_id is 'Project whose rows were compared.';
comment on column kept_comparisons.question_hash is 'Hash of the question.';
comment on column kept_comparisons.question is 'The question as a JSON list of query parameters, by which it is asked again.';
comment on column kept_comparisons.json is 'The wire form of the API.';
comment on column kept_comparisons.page is 'The page.';
comment on column kept_comparisons.plain is 'Text for a terminal.';
comment on column kept_comparisons.plot is 'A Vega-Lite specification.';
comment on column kept_comparisons.computed_at is 'As of when.';
comment on column kept_comparisons.took_ms is 'Milliseconds that it took.';
comment on column kept_comparisons.asked_at is 'When somebody last wanted it, to the hour; forgotten a week later.';
comment on column kept_comparisons.claimed_until is 'Until when a worker computes it again, by the database''s clock.';

alter table kept_comparisons enable row level security;
alter table kept_comparisons force row level security;
-- Workers serve every project; they say so for the one transaction in which they claim a question.
create policy kept_comparisons_of_transaction on kept_comparisons
    using (project_id = any ((select afterword_projects())::uuid[]) or (select afterword_scope()) = 'worker');
grant select, insert, update, delete on kept_comparisons to afterword_app;
