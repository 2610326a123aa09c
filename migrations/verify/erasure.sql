-- Verify loyal:erasure
begin;
\ir shape.psql

select pg_temp.want_function('loyal.issuer_sums(integer,integer,timestamptz)',
    'TABLE(issuer integer, issued bigint, available bigint, redeemed bigint, expired bigint, forfeited bigint,'
    || ' clawed_back bigint, debt bigint) volatility s {enable_nestloop=off,work_mem=64MB}');
select pg_temp.want_table('loyal.erasure',
    'bucket smallint not null, member_id bigint not null, key uuid not null, erased_at timestamp with time zone not null, '
    || E'operator_id integer not null, points bigint not null, body_hash bytea not null\n'
    || 'PRIMARY KEY (bucket, member_id, key)');
select pg_temp.want_function('loyal.member_rows(smallint,bigint)',
    'TABLE(place integer, key text, table_name text, row_json jsonb) volatility s');
-- Members are in the buckets 0 to 255: each function runs, over none of them.
select count(*) from loyal.issuer_sums(-1, -1, '2000-01-01 00:00:00+00');
select count(*) from loyal.member_rows(-1::smallint, -1);

rollback;
