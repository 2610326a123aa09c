-- Verify loyal:consent
begin;
\ir shape.psql

select pg_temp.want_table('loyal.consent',
    'bucket smallint not null, member_id bigint not null, consent_id uuid not null, recipient integer not '
    || 'null, source integer not null, purpose smallint not null, fields smallint not null, granted_at '
    || 'timestamp with time zone not null, until_at timestamp with time zone not null, text_version text '
    || 'not null, channel smallint not null, terminal_id integer not null, operator_id integer not null, '
    || 'body_hash bytea not null, place bigint not null, ended_at timestamp with time zone, end_kind '
    || E'smallint, end_terminal_id integer, end_operator_id integer\n'
    || E'CHECK (((end_kind >= 1) AND (end_kind <= 4)))\n'
    || E'CHECK (((ended_at IS NULL) = (end_kind IS NULL)))\n'
    || E'CHECK (((fields >= 1) AND (fields <= 7)))\n'
    || E'CHECK (((purpose >= 1) AND (purpose <= 3)))\n'
    || E'PRIMARY KEY (bucket, member_id, consent_id)\n'
    || 'btree (recipient, purpose, place, member_id) WHERE (ended_at IS NULL)');
select pg_temp.want('loyal.consent_in_force',
    regexp_replace(pg_get_indexdef('loyal.consent_in_force'::regclass), '^CREATE (UNIQUE )?INDEX.* USING ', '\1'),
    'UNIQUE btree (bucket, member_id, recipient, purpose, source) WHERE (ended_at IS NULL)');
select pg_temp.want('loyal.consent storage', (select reloptions::text from pg_class
    where oid = 'loyal.consent'::regclass), '{fillfactor=90}');

rollback;
