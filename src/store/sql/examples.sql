-- store::examples::list
-- Answers that arrived around some moments, with the side that they are on: a sample that costs the same however large the
-- tables are. What its user refused to have trained on, and what is being erased, is in no sample; of a conversation that is
-- being erased neither are the turns of others, whose prompts quote it.
--   $1 project   $2 experiment key or null   $3 name of the control (variant or model)   $4 of the candidate
--   $5 tasks   $6 languages   $7 from   $8 to   $9 moments   $10 answers that are looked at for each of them
with around as (
    select c.*
      from unnest($9::timestamptz[]) as moment (at)
     cross join lateral (
               select *
                 from completions r
                where $2::text is not null
                  and r.project_id = $1
                  and r.experiment = $2
                  and r.received_at >= moment.at
                order by r.received_at
                limit $10
           ) c
     union all
    select c.*
      from unnest($9::timestamptz[]) as moment (at)
     cross join unnest(array[$3::text, $4::text]) as side (model)
     cross join lateral (
               select *
                 from completions r
                where $2::text is null
                  and r.project_id = $1
                  and r.model = side.model
                  and r.received_at >= moment.at
                order by r.received_at
                limit $10
           ) c
)
select distinct on (c.completion_id)
       c.completion_id,
       (case when $2::text is null then c.model else c.variant end) = $4 as is_candidate
  from around c
  join projects p on p.project_id = c.project_id
 where (case when $2::text is null then c.model else c.variant end) in ($3, $4)
   -- An attempt is an outcome of its turn, as in turns.sql.
   and c.parent_completion_id is null
   and ($5::text[] is null or c.task = any ($5))
   and ($6::text[] is null or c.language = any ($6))
   and ($7::timestamptz is null or c.received_at >= $7)
   and ($8::timestamptz is null or c.received_at < $8)
   and coalesce(c.consent_training, p.consent_default) is not false
   and (not (select exists (select from tombstones where project_id = $1))
        or not exists (
               select
                 from (
                          select array[
                              afterword_mac(k.inner_block, k.outer_block, 'user', c.user_id),
                              afterword_mac(k.inner_block, k.outer_block, 'completion', c.completion_id),
                              afterword_mac(k.inner_block, k.outer_block, 'conversation', c.conversation_id)
                          ] as id_hashes
                            from erasure_keys k
                           where k.project_id = $1
                          offset 0
                      ) m
                 join tombstones t
                   on t.project_id = $1
                  and t.id_hash = any (m.id_hashes)
           ))
 order by c.completion_id
