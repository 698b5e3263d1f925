-- When an experiment was stopped.

alter table experiments add column stopped_at timestamptz;
comment on column experiments.stopped_at is 'When it was stopped: what arrives later is not compared.';
grant update (stopped_at) on experiments to afterword_app;
