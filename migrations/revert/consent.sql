-- Revert loyal:consent
begin;

drop table loyal.consent;
update loyal.schema_version set version = 'standing';

commit;
