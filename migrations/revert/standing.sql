-- Revert loyal:standing
begin;

drop view loyal.standing;
drop table loyal.member_standing_change, loyal.standing_change;
update loyal.schema_version set version = 'privileges';

commit;
