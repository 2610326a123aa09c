-- Revert loyal:certificates
begin;

drop view loyal.terminal_certificate;
drop table loyal.certificate_change;
update loyal.schema_version set version = 'rights';

commit;
