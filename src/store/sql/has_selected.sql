-- store::groups::has_selected
select exists (
           select
             from completions c
            where c.project_id = $1
              and ($2::text[] is null or c.model = any ($2))
              and ($3::text is null or c.experiment = $3)
              and ($4::text[] is null or c.variant = any ($4))
              and ($5::text[] is null or c.task = any ($5))
              and ($6::text[] is null or c.language = any ($6))
              and ($7::timestamptz is null or c.received_at >= $7)
              and ($8::timestamptz is null or c.received_at < $8)
       )
