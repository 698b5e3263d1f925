-- store::rates::count
-- One pass over the completions. octet_length reads the head of a text that is stored elsewhere or compressed, not the
-- text.
select c.model,
       coalesce(c.language, '')                                         as language,
       width_bucket(octet_length(c.response), $9::integer[])::bigint    as bucket,
       count(*)                                                         as n_completions
  from completions c
 where c.project_id = $1
   and ($2::text[] is null or c.model = any ($2))
   and ($3::text is null or c.experiment = $3)
   and ($4::text[] is null or c.variant = any ($4))
   and ($5::text[] is null or c.task = any ($5))
   and ($6::text[] is null or c.language = any ($6))
   and ($7::timestamptz is null or c.received_at >= $7)
   and ($8::timestamptz is null or c.received_at < $8)
 group by 1, 2, 3
 order by 1, 2, 3
