-- Verify loyal:maintenance
begin;
\ir shape.psql

select pg_temp.want_table('loyal.lease',
    'name text not null, holder text not null, epoch bigint not null, until timestamp with time zone '
    || E'not null\n'
    || 'PRIMARY KEY (name)');
select pg_temp.want_function('loyal.uuid_at(timestamptz)',
    'uuid volatility i');
select pg_temp.want_function('loyal.partitions_make(date,date)',
    'integer volatility v definer {"search_path=pg_catalog, pg_temp"}');
select pg_temp.want_function('loyal.refusals_drop(timestamptz)',
    'bigint volatility v');
select pg_temp.want('loyal.uuid_at', loyal.uuid_at('2014-01-01 00:00:00.0006+00')::text,
    '01434b19-8400-7000-8000-000000000000');
select 1 / count(*) from loyal.lease where name = 'maintenance';

rollback;
