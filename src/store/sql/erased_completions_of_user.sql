-- store::erased_rows::list_completions
-- No index leads from users to rows: erasures are rare, and every row that is written would pay for it.
with theirs as (
    select c.conversation_id
      from completions c
     where c.project_id = $1
       and c.user_id = $2
       and c.conversation_id is not null
     union
    select f.granted_conversation_id
      from feedback f
     where f.project_id = $1
       and f.user_id = $2
       and f.granted_conversation_id is not null
)
select c.completion_id, c.user_id is not null as names_user, c.conversation_id,
       array(
           -- An alias that is another completion's id is none (LATE-3): what is filed under it is that one's.
           select alias
             from unnest(c.aliases) as alias
            where not exists (
                      select
                        from completions o
                       where o.project_id = $1
                         and o.completion_id = alias
                      offset 0
                  )
       ) as aliases
  from completions c
 where c.project_id = $1
   and (c.user_id = $2
        or (c.user_id is null and c.conversation_id in (select t.conversation_id from theirs t)))
