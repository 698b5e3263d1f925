-- Exports may go to a place that the operator has named, and what dead workers left there is collected.

alter table exports add column destination text;
comment on column exports.destination is 'Name of the operator''s destination that it goes to; null for the service''s own directory.';
alter table exports add column swept_at timestamptz;
comment on column exports.swept_at is 'When its place was last swept of what nobody published, some time after it ended; null before.';

-- Few: those of the last hour, and those whose place could not be reached.
create index exports_unswept on exports (project_id, export_id) where swept_at is null;

grant update (swept_at) on exports to afterword_app;

alter table jobs add column n_stops integer not null default 0;
comment on column jobs.n_stops is 'How often it was given back because its worker was asked to stop, which is no failure.';

grant update (n_stops) on jobs to afterword_app;
