-- Verify loyal:certificates
begin;
\ir shape.psql

select pg_temp.want_table('loyal.certificate_change',
    'number integer not null, terminal_id integer not null, certificate_sha256 bytea not null, standing smallint '
    || 'not null, changed_at timestamp with time zone not null, operator_id integer not null, reason text '
    || E'not null\n'
    || E'CHECK (((standing >= 1) AND (standing <= 3)))\n'
    || E'CHECK ((length(certificate_sha256) = 32))\n'
    || E'CHECK ((number > 0))\n'
    || E'FOREIGN KEY (operator_id) REFERENCES loyal.operator(operator_id)\n'
    || E'FOREIGN KEY (terminal_id) REFERENCES loyal.terminal(terminal_id)\n'
    || 'PRIMARY KEY (number)');
select pg_temp.want_table('loyal.terminal_certificate', 'terminal_id integer, certificate_sha256 bytea, number integer');
select pg_temp.want('loyal.terminal_certificate security', (select reloptions::text from pg_class
    where oid = 'loyal.terminal_certificate'::regclass), '{security_invoker=true}');

rollback;
