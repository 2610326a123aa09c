-- Deploy loyal:journal
-- requires: members
-- The journal: what happened, for ever. The daemon inserts and selects, nobody updates but the eraser, and he only facts.
begin;

-- kind: 1 enrol, 2 earn, 3 redeem, 4 reverse an earn, 5 reverse a redemption, 6 expiry
-- legs: eight bigints a leg: leg kind, lot's entry (high half, low half), lot's number, issuer, points, earned_at, expires_at
--   (microseconds since 2000-01-01 UTC as PostgreSQL counts; 9223372036854775807: never);
--   leg kind: 1 made, 2 redeemed, 3 clawed back, 4 debt repaid, 5 expired, 6 restored, 7 debt made (no lot); points > 0, the kind says the sign.
create table loyal.entry (
    bucket smallint not null,
    member_id bigint not null,
    id uuid not null,                 -- the request's UUIDv7; of an expiry: made by maintenance
    seq bigint not null,
    decided_at timestamptz not null,
    kind smallint not null,
    merchant_id integer not null,     -- 0: the network itself
    points bigint not null,           -- earned, redeemed, clawed back, given back, expired: never negative
    balance bigint not null,          -- the member's available points after it
    debt bigint not null,             -- his debt after it
    rule_version integer not null,    -- 0: none applied
    legs bigint[] not null,
    original uuid,                    -- of a reversal
    body_hash bytea not null,         -- 16 bytes, R32
    facts_hash bytea not null,
    chain bytea not null,
    xact xid8 not null default pg_current_xact_id(),
    -- facts, which the eraser may blank
    salt bytea,
    store_id integer,
    terminal_id integer,
    channel smallint,
    till text,
    receipt text,
    part integer,
    business_date integer,            -- yyyymmdd
    occurred_at timestamptz,
    amount_minor bigint,
    paid_in_points_minor bigint,
    currency text,
    primary key (bucket, member_id, id)
) partition by range (id);
create index entry_original on loyal.entry (bucket, member_id, original) where original is not null;
create index entry_decided_at on loyal.entry using brin (decided_at);

create table loyal.basket_line (
    bucket smallint not null,
    member_id bigint not null,
    entry_id uuid not null,
    number smallint not null,
    product text not null,
    category text not null,
    quantity_milli bigint not null,
    amount_minor bigint not null,
    points bigint not null,           -- its share of the receipt's points, by largest remainder (R2)
    primary key (bucket, member_id, entry_id, number)
) partition by range (entry_id);

-- Recorded refusals (R33), and reversals that came before their original (R16): a tombstone is the refusal REVERSED_BEFORE recorded
-- in advance under the original's key, with no body_hash because it binds whatever comes.
create table loyal.refusal (
    bucket smallint not null,
    member_id bigint not null,
    key uuid not null,
    merchant_id integer not null,
    code smallint not null,           -- loyal.v1.ResultCode
    kind smallint not null,           -- of the request, numbered as entry.kind
    decided_at timestamptz not null,
    balance bigint not null,          -- the answer's
    debt bigint not null,
    original uuid,                    -- of a reversal: the original it named; of DUPLICATE_RECEIPT: the recorded one
    body_hash bytea,
    xact xid8 not null default pg_current_xact_id(),
    store_id integer,
    terminal_id integer,
    occurred_at timestamptz,
    amount_minor bigint,
    points bigint,                    -- asked for
    primary key (bucket, member_id, key, merchant_id)
);

update loyal.schema_version set version = 'journal';

commit;
