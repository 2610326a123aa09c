-- Verify loyal:journal
begin;
\ir shape.psql

select pg_temp.want_table('loyal.entry',
    'bucket smallint not null, member_id bigint not null, id uuid not null, seq bigint not null, '
    || 'decided_at timestamp with time zone not null, kind smallint not null, merchant_id integer not '
    || 'null, points bigint not null, balance bigint not null, debt bigint not null, rule_version '
    || 'integer not null, legs bigint[] not null, original uuid, body_hash bytea not null, facts_hash '
    || 'bytea not null, chain bytea not null, xact xid8 not null, salt bytea, store_id integer, '
    || 'terminal_id integer, channel smallint, till text, receipt text, part integer, business_date '
    || 'integer, occurred_at timestamp with time zone, amount_minor bigint, paid_in_points_minor '
    || E'bigint, currency text\n'
    || E'PRIMARY KEY (bucket, member_id, id)\n'
    || E'brin (decided_at)\n'
    || E'btree (bucket, member_id, original) WHERE (original IS NOT NULL)\n'
    || case when pg_temp.has('network') then E'btree (merchant_id, decided_at)\n' else '' end
    || 'partition by RANGE (id)');
select pg_temp.want_table('loyal.basket_line',
    'bucket smallint not null, member_id bigint not null, entry_id uuid not null, number smallint '
    || 'not null, product text not null, category text not null, quantity_milli bigint not null, '
    || E'amount_minor bigint not null, points bigint not null\n'
    || E'PRIMARY KEY (bucket, member_id, entry_id, number)\n'
    || 'partition by RANGE (entry_id)');
select pg_temp.want_table('loyal.refusal',
    'bucket smallint not null, member_id bigint not null, key uuid not null, merchant_id integer not '
    || 'null, code smallint not null, kind smallint not null, decided_at timestamp with time zone not '
    || 'null, balance bigint not null, debt bigint not null, original uuid, body_hash bytea, xact xid8 '
    || 'not null, store_id integer, terminal_id integer, occurred_at timestamp with time zone, '
    || E'amount_minor bigint, points bigint\n'
    || 'PRIMARY KEY (bucket, member_id, key, merchant_id)');

rollback;
