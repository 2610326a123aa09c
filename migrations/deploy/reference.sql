-- Deploy loyal:reference
-- Small tables that every worker keeps a snapshot of. Whoever changes one of them raises reference_epoch in the same transaction.
begin;

create table loyal.reference_epoch (
    one boolean primary key default true check (one),
    epoch bigint not null
);
insert into loyal.reference_epoch values (true, 1);

create table loyal.merchant (
    merchant_id integer primary key check (merchant_id > 0),
    code text not null unique,
    name text not null,
    currency text not null check (currency ~ '^[A-Z]{3}$')
);

create table loyal.store (
    store_id integer primary key check (store_id > 0),
    merchant_id integer not null references loyal.merchant,
    code text not null,
    name text not null,
    unique (merchant_id, code)
);

create table loyal.terminal (
    terminal_id integer primary key check (terminal_id > 0),
    merchant_id integer not null references loyal.merchant,
    code text not null,
    store_id integer references loyal.store, -- null: posts for any store of its merchant
    channel smallint not null,               -- loyal.v1.Channel
    certificate_sha256 bytea not null unique check (length(certificate_sha256) = 32),
    active boolean not null default true,
    unique (merchant_id, code)
);

create table loyal.operator (
    operator_id integer primary key check (operator_id > 0),
    name text not null unique,
    certificate_sha256 bytea not null unique check (length(certificate_sha256) = 32),
    active boolean not null default true
);

-- Versioned, never updated: the rule of a purchase is its merchant's last one with valid_from <= the purchase's day.
create table loyal.rule (
    rule_version integer primary key check (rule_version > 0),
    merchant_id integer not null references loyal.merchant,
    valid_from date not null,
    numerator integer not null check (numerator >= 0),
    denominator integer not null check (denominator > 0),
    lifetime_months integer not null check (lifetime_months >= 0) -- 0: never expires
);

-- The name of the last change: a daemon serves no schema but the one it knows. Each later change sets it, its revert sets it back.
create table loyal.schema_version (
    one boolean primary key default true check (one),
    version text not null
);
insert into loyal.schema_version values (true, 'reference');

commit;
