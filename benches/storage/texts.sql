-- Processor time of this session, in milliseconds; only a superuser may read it.
create or replace function cpu_ms() returns bigint language sql as $$
    select (split_part(rest, ' ', 12)::bigint + split_part(rest, ' ', 13)::bigint) * 10
      from (select regexp_replace(pg_read_file('/proc/self/stat'), '^.*\) ', '') as rest) s
$$

create unlogged table sample (n int, t text)

alter table sample alter t set storage external

-- A thousand prompts of about 3.6 KB, of made-up words.
insert into sample
select n, '[{"role": "user", "content": "' || (
           select string_agg(w[1 + (('x' || substr(md5(n::text || k::text), 1, 4))::bit(16)::int % 32)]
                             || case when k % 4 = 0 then ' ' else '' end, '')
             from (select array['ka','to','mi','ren','sol','va','der','lin','po','ta','shu','gra','ne','wer','il','os',
                                'bra','ken','du','fal','ing','er','est','un','re','con','ter','ble','na','ri','the ',
                                'and '] as w) words,
                  generate_series(1, 1250) k
       ) || '"}]'
  from generate_series(1, 1000) n

create table text_none (n int, t text)

alter table text_none alter t set storage external

create table text_lz4 (n int, t text compression lz4)

create table text_pglz (n int, t text compression pglz)

create table jsonb_lz4 (n int, t jsonb compression lz4)

create table jsonb_pglz (n int, t jsonb compression pglz)

create table measured (name text, write_ms bigint, read_ms bigint, n_bytes bigint, n_wal_bytes bigint)

do $$
declare
    n text; began bigint; wal pg_lsn; written bigint; ignored bigint;
begin
    foreach n in array array['text_none', 'text_lz4', 'text_pglz', 'jsonb_lz4', 'jsonb_pglz',
                             'text_none', 'text_lz4', 'text_pglz', 'jsonb_lz4', 'jsonb_pglz'] loop
        execute 'truncate ' || n;
        began := cpu_ms();
        wal := pg_current_wal_lsn();
        execute format('insert into %I select n + 1000 * k, %s from sample, generate_series(1, 20) k',
                       n, case when n like 'json%' then 't::jsonb' else 't' end);
        written := cpu_ms();
        execute format('select sum(length(t::text)) from %I', n) into ignored;
        insert into measured
        values (n, written - began, cpu_ms() - written, pg_total_relation_size(n::regclass), pg_current_wal_lsn() - wal);
    end loop;
end $$

select name || ': ' || what, value::float8
  from (select name, min(write_ms) / 20.0, min(read_ms) / 20.0, min(n_bytes) / 20000.0, min(n_wal_bytes) / 20000.0
          from measured group by name) m (name, w, r, b, l)
 cross join lateral (values ('us to write', w), ('us to read', r), ('bytes', b), ('bytes of log', l)) v (what, value)
 order by 1
