-- Deploy loyal:standing
-- requires: privileges
-- Who may take part. Each suspension, resumption and revocation stays on record, the last one counts; who has none is active.
begin;

create table loyal.standing_change (
    number integer primary key check (number > 0),              -- in order of the changes
    subject smallint not null check (subject between 1 and 4),  -- 1 merchant, 2 store, 3 terminal, 4 operator
    subject_id integer not null,
    standing smallint not null check (standing between 1 and 3), -- loyal.v1.Standing: 1 active, 2 suspended, 3 revoked
    changed_at timestamptz not null,
    operator_id integer not null references loyal.operator,
    reason text not null
);
create index standing_change_subject on loyal.standing_change (subject, subject_id, number);

create view loyal.standing with (security_invoker = true) as
select distinct on (subject, subject_id) subject, subject_id, standing
from loyal.standing_change
order by subject, subject_id, number desc;

-- A member's is loyal.member.status, so that a posting reads it under his lock: 1 active, 2 suspended, 3 revoked, 4 erased.
create table loyal.member_standing_change (
    bucket smallint not null,
    member_id bigint not null,
    number integer not null check (number > 0),
    standing smallint not null check (standing between 1 and 4),
    changed_at timestamptz not null,
    operator_id integer not null,
    reason text not null, -- '': erased
    primary key (bucket, member_id, number)
);

update loyal.schema_version set version = 'standing';

commit;
