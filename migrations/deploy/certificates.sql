-- Deploy loyal:certificates
-- requires: rights
-- A terminal's further certificates, so that it changes over to a new one while the old one is still good. Each change stays on
-- record, the last one of a certificate counts; the one that the terminal was added with is good until a change says otherwise.
begin;

create table loyal.certificate_change (
    number integer primary key check (number > 0), -- in order of the changes
    terminal_id integer not null references loyal.terminal,
    certificate_sha256 bytea not null check (length(certificate_sha256) = 32),
    standing smallint not null check (standing between 1 and 3), -- as in loyal.standing_change
    changed_at timestamptz not null,
    operator_id integer not null references loyal.operator,
    reason text not null
);

-- Those that are good; the highest number is the newest, 0 is of the terminal's beginning.
create view loyal.terminal_certificate with (security_invoker = true) as
select terminal_id, certificate_sha256, number
from (select distinct on (terminal_id, certificate_sha256) terminal_id, certificate_sha256, number, standing
      from (select terminal_id, certificate_sha256, 0 as number, 1::smallint as standing from loyal.terminal
            union all
            select terminal_id, certificate_sha256, number, standing from loyal.certificate_change) c
      order by terminal_id, certificate_sha256, number desc) last
where standing = 1;

revoke all on loyal.certificate_change, loyal.terminal_certificate from public;
grant select on loyal.certificate_change, loyal.terminal_certificate to loyal_daemon, loyal_auditor;
grant insert on loyal.certificate_change to loyal_daemon;

update loyal.schema_version set version = 'certificates';

commit;
