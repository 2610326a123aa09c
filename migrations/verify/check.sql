-- Verify loyal:check
begin;
\ir shape.psql

select pg_temp.want_table('loyal.entry_leg',
    'bucket smallint, member_id bigint, entry_id uuid, seq bigint, merchant_id integer, entry_kind '
    || 'smallint, leg_kind bigint, lot_entry uuid, lot_number bigint, issuer bigint, points bigint, '
    || 'earned_at timestamp with time zone, expires_at timestamp with time zone');
select pg_temp.want_function('loyal.txt(text)',
    'bytea volatility s');
select pg_temp.want_function('loyal.chain_of(bytea,loyal.entry)',
    'bytea volatility s');
select pg_temp.want_function('loyal.line_bytes(loyal.basket_line)',
    'bytea volatility s');
select pg_temp.want_function('loyal.lines_bytes(smallint,bigint,uuid)',
    'bytea volatility s');
select pg_temp.want_function('loyal.facts_hash_of(loyal.entry,bytea)',
    'bytea volatility s');
select pg_temp.want_function('loyal.facts_hash_of(loyal.entry)',
    'bytea volatility s');
select pg_temp.want_function('loyal.leg_instant(bigint)',
    'timestamp with time zone volatility i');
select pg_temp.want_function('loyal.leg_uuid(bigint,bigint)',
    'uuid volatility i');
select pg_temp.want_function('loyal.issuer_sums(integer,integer,timestamptz)',
    'TABLE(issuer integer, issued bigint, available bigint, redeemed bigint, expired bigint,'
    || case when pg_temp.has('erasure') then ' forfeited bigint,' else '' end
    || ' clawed_back bigint, debt bigint) volatility s {enable_nestloop=off,work_mem=64MB}');
select pg_temp.want_function('loyal.findings(integer,integer,timestamptz,integer)',
    'TABLE(bucket smallint, member_id bigint, row_name text, what text, total bigint) volatility s {enable_nestloop=off,work_mem=64MB}');
select pg_temp.want_function('loyal.owed_points()',
    'TABLE(issuer integer, redeemer integer, points bigint) volatility s');
select pg_temp.want_function('loyal.receipts_twice(integer,integer)',
    'TABLE(merchant_id integer, store_id integer, till text, business_date integer, receipt text, part integer, members bigint)'
    || ' volatility s');
select pg_temp.want_function('loyal.state_hash()',
    'bytea volatility s {work_mem=64MB}');
select pg_temp.want('loyal.entry_leg security', (select reloptions::text from pg_class
    where oid = 'loyal.entry_leg'::regclass), '{security_invoker=true}');
-- Members are in the buckets 0 to 255: each function runs, over none of them.
select count(*) from loyal.findings(-1, -1, '2000-01-01 00:00:00+00', 1);
select count(*) from loyal.issuer_sums(-1, -1, '2000-01-01 00:00:00+00');

rollback;
