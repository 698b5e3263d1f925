-- Processor time of this session, in milliseconds; only a superuser may read it.
create or replace function cpu_ms() returns bigint language sql as $$
    select (split_part(rest, ' ', 12)::bigint + split_part(rest, ' ', 13)::bigint) * 10
      from (select regexp_replace(pg_read_file('/proc/self/stat'), '^.*\) ', '') as rest) s
$$

create function v7(ms bigint, n bigint) returns uuid language sql immutable as $$
    select (lpad(to_hex(ms), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid
$$

create function v4(n bigint) returns uuid language sql immutable as $$
    select (substr(md5(n::text || 'x'), 1, 12) || '4' || substr(md5(n::text), 1, 3) || '8'
            || substr(md5(n::text), 4, 15))::uuid
$$

-- A sixth of the rows; three million are usual.
create function part_rows() returns int language sql stable as $$
    select current_setting('bench.n_batches')::int * 1000
$$

-- Reactions in the order of their arrival, twenty a millisecond, three to a completion.
create unlogged table arrivals as
select n, '00000000-0000-0000-0000-000000000007'::uuid as project, v7(1769860800000 + n / 20, n) as id_v7, v4(n) as id_v4,
       'chatcmpl-' || substr(md5((n / 3)::text), 1, 24) as completion_random,
       'cmpl-' || v7(1769860800000 + n / 20, n / 3)::text as completion_ordered
  from generate_series(1, 6 * part_rows()) n

create index on arrivals (n)

create table completion_first (p uuid, c text, f uuid, h bytea, s text, u text, w float8, t timestamptz, primary key (p, c, f))

create table completion_first_ordered (like completion_first, primary key (p, c, f))

create table id_first_and_look_up (like completion_first, primary key (p, f, c))

create index on id_first_and_look_up (p, c)

create table id_first_only_v7 (like completion_first, primary key (p, f, c))

create table id_first_only_v4 (like completion_first, primary key (p, f, c))

create table measured_keys (name text, from_row int, cpu_ms bigint, wall_ms float8, n_wal_bytes bigint)

create procedure fill(target text, completion text, id text) language plpgsql as $$
declare
    began bigint; at timestamptz; wal pg_lsn; n_rows int := part_rows();
begin
    for part in 0..5 loop
        began := cpu_ms();
        wal := pg_current_wal_lsn();
        at := clock_timestamp();
        for batch in 0..n_rows / 1000 - 1 loop
            execute format(
                'insert into %I select project, %I, %I, ''\x00112233445566778899aabbccddeeff'', ''thumb'', ''user'', 1, now()
                   from arrivals where n > %s and n <= %s on conflict do nothing',
                target, completion, id, part * n_rows + batch * 1000, part * n_rows + (batch + 1) * 1000);
            commit;
        end loop;
        insert into measured_keys
        values (target, part * n_rows, cpu_ms() - began, extract(epoch from clock_timestamp() - at) * 1000,
                pg_current_wal_lsn() - wal);
        commit;
    end loop;
end $$

call fill('completion_first', 'completion_random', 'id_v7')

call fill('id_first_and_look_up', 'completion_random', 'id_v7')

call fill('completion_first_ordered', 'completion_ordered', 'id_v7')

call fill('id_first_only_v7', 'completion_random', 'id_v7')

call fill('id_first_only_v4', 'completion_random', 'id_v4')

select name || ': ' || what, value::float8
  from (select name, max(case when from_row = 5 * part_rows() then cpu_ms * 1000.0 / part_rows() end),
               max(case when from_row = 5 * part_rows() then part_rows() * 1000.0 / wall_ms end),
               sum(n_wal_bytes) / (6.0 * part_rows()), pg_indexes_size(name::regclass) / (6.0 * part_rows())
          from measured_keys group by name) m (name, c, r, l, b)
 cross join lateral (values ('us, last sixth', c), ('rows/s, last sixth', r), ('bytes of log', l),
                            ('bytes of index', b)) v (what, value)
 order by 1
