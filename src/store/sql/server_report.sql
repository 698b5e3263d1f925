-- store::connection::check_server
select current_setting('server_version')                     as server_version,
       current_setting('fsync')                              as fsync,
       current_setting('synchronous_commit')                 as synchronous_commit,
       current_setting('full_page_writes')                   as full_page_writes,
       current_user::text                                    as role,
       session_user::text                                    as login,
       exists (select
                 from pg_roles s
                where s.rolname = session_user
                  and (s.rolsuper
                       or s.rolbypassrls
                       or exists (select
                                    from pg_class c
                                   where c.relnamespace = 'public'::regnamespace
                                     and c.relkind in ('r', 'p')
                                     and c.relowner = s.oid)))  as login_is_powerful,
       clock_timestamp()                                     as now,
       r.rolsuper                                            as is_superuser,
       r.rolbypassrls                                        as bypasses_rls,
       exists (select
                 from pg_class c
                where c.relnamespace = 'public'::regnamespace
                  and c.relkind in ('r', 'p')
                  and c.relowner = r.oid)                    as owns_tables
  from pg_roles r
 where r.rolname = current_user
