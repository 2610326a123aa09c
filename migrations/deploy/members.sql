-- Deploy loyal:members
-- requires: reference
-- The state of each member in one row, and how he is found. Nothing here that changes per operation is indexed.
begin;

create table loyal.member (
    bucket smallint not null check (bucket between 0 and 255),
    member_id bigint not null,
    available bigint not null check (available >= 0), -- in the books: the sum of his lots, those past expiry but not yet entered included
    debt bigint not null check (debt >= 0),           -- the sum of his debts
    seq bigint not null,                              -- gapless number of his last entry
    chain bytea not null,                             -- hash of his last entry
    decided_at timestamptz not null,                  -- decision time of his last entry
    next_change_at timestamptz not null,              -- earliest expiry of a lot, or infinity
    status smallint not null default 1,               -- 1 active
    primary key (bucket, member_id)
) with (fillfactor = 70);

-- identifier_hash = HMAC-SHA256(key of key_version, kind || normalised value)
create table loyal.identifier (
    identifier_hash bytea primary key check (length(identifier_hash) = 32),
    key_version smallint not null,
    bucket smallint not null,
    member_id bigint not null
);
create index identifier_member on loyal.identifier (bucket, member_id);

create table loyal.lot (
    bucket smallint not null,
    member_id bigint not null,
    entry_id uuid not null,          -- the entry that made it
    number smallint not null,        -- among the lots of that entry
    issuer integer not null,
    points bigint not null check (points > 0), -- what is left; a used-up lot has no row
    earned_at timestamptz not null,
    expires_at timestamptz not null, -- the first instant at which it is unusable, or infinity
    primary key (bucket, member_id, entry_id, number)
) with (fillfactor = 90);

create table loyal.debt (
    bucket smallint not null,
    member_id bigint not null,
    issuer integer not null,
    points bigint not null check (points > 0),
    primary key (bucket, member_id, issuer)
) with (fillfactor = 70);

update loyal.schema_version set version = 'members';

commit;
