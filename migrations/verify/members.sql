-- Verify loyal:members
begin;
\ir shape.psql

select pg_temp.want_table('loyal.member',
    'bucket smallint not null, member_id bigint not null, available bigint not null, debt bigint not '
    || 'null, seq bigint not null, chain bytea not null, decided_at timestamp with time zone not null, '
    || E'next_change_at timestamp with time zone not null, status smallint not null\n'
    || E'CHECK (((bucket >= 0) AND (bucket <= 255)))\n'
    || E'CHECK ((available >= 0))\n'
    || E'CHECK ((debt >= 0))\n'
    || 'PRIMARY KEY (bucket, member_id)');
select pg_temp.want_table('loyal.identifier',
    'identifier_hash bytea not null, key_version smallint not null, bucket smallint not null, '
    || E'member_id bigint not null\n'
    || E'CHECK ((length(identifier_hash) = 32))\n'
    || E'PRIMARY KEY (identifier_hash)\n'
    || 'btree (bucket, member_id)');
select pg_temp.want_table('loyal.lot',
    'bucket smallint not null, member_id bigint not null, entry_id uuid not null, number smallint '
    || 'not null, issuer integer not null, points bigint not null, earned_at timestamp with time zone '
    || E'not null, expires_at timestamp with time zone not null\n'
    || E'CHECK ((points > 0))\n'
    || 'PRIMARY KEY (bucket, member_id, entry_id, number)');
select pg_temp.want_table('loyal.debt',
    'bucket smallint not null, member_id bigint not null, issuer integer not null, points bigint not '
    || E'null\n'
    || E'CHECK ((points > 0))\n'
    || 'PRIMARY KEY (bucket, member_id, issuer)');
-- Without room on the page every posting would move its member's row to another.
select pg_temp.want('storage', string_agg(relname || array_to_string(reloptions, ','), ' ' order by relname),
    'debtfillfactor=70 lotfillfactor=90 memberfillfactor=70')
from pg_class
where oid in ('loyal.member'::regclass, 'loyal.lot'::regclass, 'loyal.debt'::regclass);

rollback;
