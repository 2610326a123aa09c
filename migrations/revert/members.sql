-- Revert loyal:members
begin;

drop table loyal.debt, loyal.lot, loyal.identifier, loyal.member;
update loyal.schema_version set version = 'reference';

commit;
