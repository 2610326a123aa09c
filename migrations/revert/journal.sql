-- Revert loyal:journal
begin;

drop table loyal.refusal, loyal.basket_line, loyal.entry;
update loyal.schema_version set version = 'members';

commit;
