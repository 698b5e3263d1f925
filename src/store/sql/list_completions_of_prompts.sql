-- store::groups::list (their answers)
-- Prompt by prompt, as list_feedback_of_completions.sql reads name by name. Whether an alias names its completion (LATE-3)
-- depends on completions that answer prompts of other pages, or prompts that are not selected.
select c.completion_id, c.prompt_hash, c.model, c.prompt, c.response, c.tools is not null as has_tools,
       case when $10 then c.tools end as tools,
       case when $11 <> '' then c.tags ->> $11 end as safety_label,
       c.finish_reason, c.conversation_id, c.parent_completion_id, c.user_id, c.language, c.experiment,
       -- Where the client said nothing of consent, the project's own word holds.
       coalesce(c.consent_training, (select p.consent_default from projects p where p.project_id = $1))
           as consent_training,
       c.consent_training is null as is_consent_presumed,
       array(
           select distinct told.name
             from unnest(c.aliases) as told (name)
            where exists (
                      select
                        from resolved_aliases r
                       where r.project_id = $1
                         and r.alias = told.name
                         and r.completion_id = c.completion_id
                         and not r.is_shared
                      offset 0
                  )
       ) as aliases,
       c.received_at,
       coalesce(
           ($2::text[] is null or c.model = any ($2))
           and ($3::text is null or c.experiment = $3)
           and ($4::text[] is null or c.variant = any ($4))
           and ($5::text[] is null or c.task = any ($5))
           and ($6::text[] is null or c.language = any ($6))
           and ($7::timestamptz is null or c.received_at >= $7)
           and ($8::timestamptz is null or c.received_at < $8), false) as selected
  from unnest($9::bytea[]) with ordinality as wanted (prompt_hash, nth)
 cross join lateral (
           select *
             from completions r
            where r.project_id = $1
              and r.prompt_hash = wanted.prompt_hash
           offset 0
       ) c
 order by wanted.nth, c.completion_id
