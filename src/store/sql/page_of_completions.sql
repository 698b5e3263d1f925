-- store::pages::list_completions (their ids)
-- In the order of the primary key, so that a page costs what it holds and writing needs no further index.
--   $1 project   $2 to $8 the selection, as in list_prompts.sql   $9 after this id or null   $10 the most rows
select r.completion_id,
       octet_length(r.prompt) + octet_length(r.response) + coalesce(octet_length(r.tools), 0)
       + coalesce(octet_length(r.params), 0) as n_bytes
  from completions r
 where r.project_id = $1
   and r.completion_id > coalesce($9::text, '')
   and ($2::text[] is null or r.model = any ($2))
   and ($3::text is null or r.experiment = $3)
   and ($4::text[] is null or r.variant = any ($4))
   and ($5::text[] is null or r.task = any ($5))
   and ($6::text[] is null or r.language = any ($6))
   and ($7::timestamptz is null or r.received_at >= $7)
   and ($8::timestamptz is null or r.received_at < $8)
 order by r.completion_id
 limit $10
