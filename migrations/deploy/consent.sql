-- Deploy loyal:consent
-- requires: standing
-- What members granted (R38): a row a grant, never deleted. What is in force: ended_at is null and until_at lies ahead.
begin;

create table loyal.consent (
    bucket smallint not null,
    member_id bigint not null,
    consent_id uuid not null,            -- key of the request that recorded it
    recipient integer not null,          -- the merchant that may see
    source integer not null,             -- whose purchases; 0: those of all merchants
    purpose smallint not null check (purpose between 1 and 3), -- loyal.v1.Purpose
    fields smallint not null check (fields between 1 and 7),   -- 1 merchant and date, 2 amount, 4 basket
    granted_at timestamptz not null,
    until_at timestamptz not null,       -- the first instant at which it no longer holds
    text_version text not null,          -- that he agreed to
    channel smallint not null,
    terminal_id integer not null,        -- who recorded it: a terminal, or
    operator_id integer not null,        -- an operator; the other one is 0
    body_hash bytea not null,            -- 16 bytes, R32
    -- The member's place in the recipient's lists: keyed hash of both, so that lists of two merchants do not run alike.
    place bigint not null,
    ended_at timestamptz,
    end_kind smallint check (end_kind between 1 and 4), -- 1 revoked, 2 replaced, 3 erased, 4 over, then replaced
    end_terminal_id integer,
    end_operator_id integer,
    primary key (bucket, member_id, consent_id),
    check ((ended_at is null) = (end_kind is null))
) with (fillfactor = 90);

-- One of a recipient, source and purpose is in force.
create unique index consent_in_force on loyal.consent (bucket, member_id, recipient, purpose, source) where ended_at is null;
create index consent_place on loyal.consent (recipient, purpose, place, member_id) where ended_at is null;

update loyal.schema_version set version = 'consent';

commit;
