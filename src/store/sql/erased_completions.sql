-- store::completions::list_erased
-- Which rows insert_completions.sql leaves out.
select i.project_id, i.completion_id
  from unnest($1::completion_in[]) as i
 where exists (
           -- The hashes are made before tombstones are looked at: behind row-level security only a bare column finds its
           -- way into the index.
           select
             from (
                      select array[
                          afterword_mac(k.inner_block, k.outer_block, 'user', i.user_id),
                          afterword_mac(k.inner_block, k.outer_block, 'completion', i.completion_id),
                          case when i.user_id is null
                              then afterword_mac(k.inner_block, k.outer_block, 'conversation', i.conversation_id) end
                      ] as id_hashes
                        from erasure_keys k
                       where k.project_id = i.project_id
                      offset 0
                  ) m
             join tombstones t
               on t.project_id = i.project_id
              and t.id_hash = any (m.id_hashes)
       )
