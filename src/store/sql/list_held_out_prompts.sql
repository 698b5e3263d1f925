-- store::groups::for_each_held_out
-- Of the answers to one prompt any will do: the prompt is the same.
select distinct on (c.prompt_hash)
       c.prompt_hash, c.prompt
  from completions c
 where c.project_id = $1
   and c.experiment in (
           select e.experiment_key
             from experiments e
            where e.project_id = $1
              and e.declaration ->> 'holdout' = 'true'
       )
 order by c.prompt_hash
