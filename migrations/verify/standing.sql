-- Verify loyal:standing
begin;
\ir shape.psql

select pg_temp.want_table('loyal.standing_change',
    'number integer not null, subject smallint not null, subject_id integer not null, standing smallint '
    || 'not null, changed_at timestamp with time zone not null, operator_id integer not null, reason text '
    || E'not null\n'
    || E'CHECK (((standing >= 1) AND (standing <= 3)))\n'
    || E'CHECK (((subject >= 1) AND (subject <= 4)))\n'
    || E'CHECK ((number > 0))\n'
    || E'FOREIGN KEY (operator_id) REFERENCES loyal.operator(operator_id)\n'
    || E'PRIMARY KEY (number)\n'
    || 'btree (subject, subject_id, number)');
select pg_temp.want_table('loyal.member_standing_change',
    'bucket smallint not null, member_id bigint not null, number integer not null, standing smallint not '
    || 'null, changed_at timestamp with time zone not null, operator_id integer not null, reason text not '
    || E'null\n'
    || E'CHECK (((standing >= 1) AND (standing <= 4)))\n'
    || E'CHECK ((number > 0))\n'
    || 'PRIMARY KEY (bucket, member_id, number)');
select pg_temp.want_table('loyal.standing', 'subject smallint, subject_id integer, standing smallint');
select pg_temp.want('loyal.standing security', (select reloptions::text from pg_class
    where oid = 'loyal.standing'::regclass), '{security_invoker=true}');

rollback;
