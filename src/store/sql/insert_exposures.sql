-- store::completions::insert_exposures
insert into exposures (project_id, experiment_key, unit_id, variant, first_exposed_at)
select i.project_id, i.experiment_key, i.unit_id, i.variant, i.first_exposed_at
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
       as i (project_id, experiment_key, unit_id, variant, first_exposed_at)
    on conflict (project_id, experiment_key, unit_id, variant) do nothing
