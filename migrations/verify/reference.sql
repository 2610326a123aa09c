-- Verify loyal:reference
begin;
\ir shape.psql

select pg_temp.want_table('loyal.schema_version',
    E'one boolean not null, version text not null\n'
    || E'CHECK (one)\n'
    || 'PRIMARY KEY (one)');
select pg_temp.want_table('loyal.reference_epoch',
    E'one boolean not null, epoch bigint not null\n'
    || E'CHECK (one)\n'
    || 'PRIMARY KEY (one)');
select pg_temp.want_table('loyal.merchant',
    E'merchant_id integer not null, code text not null, name text not null, currency text not null\n'
    || E'CHECK ((currency ~ ''^[A-Z]{3}$''::text))\n'
    || E'CHECK ((merchant_id > 0))\n'
    || E'PRIMARY KEY (merchant_id)\n'
    || 'UNIQUE (code)');
select pg_temp.want_table('loyal.store',
    E'store_id integer not null, merchant_id integer not null, code text not null, name text not null\n'
    || E'CHECK ((store_id > 0))\n'
    || E'FOREIGN KEY (merchant_id) REFERENCES loyal.merchant(merchant_id)\n'
    || E'PRIMARY KEY (store_id)\n'
    || 'UNIQUE (merchant_id, code)');
select pg_temp.want_table('loyal.terminal',
    'terminal_id integer not null, merchant_id integer not null, code text not null, store_id '
    || E'integer, channel smallint not null, certificate_sha256 bytea not null, active boolean not null\n'
    || E'CHECK ((length(certificate_sha256) = 32))\n'
    || E'CHECK ((terminal_id > 0))\n'
    || E'FOREIGN KEY (merchant_id) REFERENCES loyal.merchant(merchant_id)\n'
    || E'FOREIGN KEY (store_id) REFERENCES loyal.store(store_id)\n'
    || E'PRIMARY KEY (terminal_id)\n'
    || E'UNIQUE (certificate_sha256)\n'
    || 'UNIQUE (merchant_id, code)');
select pg_temp.want_table('loyal.operator',
    'operator_id integer not null, name text not null, certificate_sha256 bytea not null, active '
    || E'boolean not null\n'
    || E'CHECK ((length(certificate_sha256) = 32))\n'
    || E'CHECK ((operator_id > 0))\n'
    || E'PRIMARY KEY (operator_id)\n'
    || E'UNIQUE (certificate_sha256)\n'
    || 'UNIQUE (name)');
select pg_temp.want_table('loyal.rule',
    'rule_version integer not null, merchant_id integer not null, valid_from date not null, '
    || E'numerator integer not null, denominator integer not null, lifetime_months integer not null\n'
    || E'CHECK ((denominator > 0))\n'
    || E'CHECK ((lifetime_months >= 0))\n'
    || E'CHECK ((numerator >= 0))\n'
    || E'CHECK ((rule_version > 0))\n'
    || E'FOREIGN KEY (merchant_id) REFERENCES loyal.merchant(merchant_id)\n'
    || 'PRIMARY KEY (rule_version)');

select 1 / count(*) from loyal.reference_epoch where one;
select 1 / count(*) from loyal.schema_version where version <> '';

rollback;
