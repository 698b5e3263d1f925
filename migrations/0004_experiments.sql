create table experiments (
    project_id     uuid        not null,
    experiment_key text        not null,
    declaration    jsonb       not null,
    created_at     timestamptz not null,
    created_by     text        not null,
    constraint experiments_pkey primary key (project_id, experiment_key),
    constraint experiments_key_length check (octet_length(experiment_key) between 1 and 256)
);

comment on table experiments is 'Planned comparisons, fixed before their data.';
comment on column experiments.project_id is 'Project of the key that declared it.';
comment on column experiments.experiment_key is 'Key, as completions carry it in `experiment`.';
comment on column experiments.declaration is 'Control, variants with planned shares, unit, alpha and margins, as declared.';
comment on column experiments.created_at is 'When it was declared.';
comment on column experiments.created_by is 'Id of the key that declared it.';

alter table experiments enable row level security;
alter table experiments force row level security;
create policy experiments_of_transaction on experiments
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on experiments to afterword_app;

create table exposures (
    project_id       uuid        not null,
    experiment_key   text        not null,
    unit_id          text        not null,
    variant          text        not null,
    first_exposed_at timestamptz not null,
    constraint exposures_pkey primary key (project_id, experiment_key, unit_id, variant),
    constraint exposures_unit_length check (octet_length(unit_id) between 1 and 256)
);

comment on table exposures is 'Units seen in a variant of an experiment, written with the completion that showed it to them.';
comment on column exposures.project_id is 'Project of the experiment.';
comment on column exposures.experiment_key is 'The experiment.';
comment on column exposures.unit_id is 'The user, or the conversation where there is none.';
comment on column exposures.variant is 'The variant it was seen in; a unit with two of them has crossed over.';
comment on column exposures.first_exposed_at is 'When the first completion of the unit in the variant arrived.';

alter table exposures enable row level security;
alter table exposures force row level security;
create policy exposures_of_transaction on exposures
    using (project_id = any ((select afterword_projects())::uuid[]));
grant select, insert on exposures to afterword_app;
