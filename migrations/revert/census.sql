-- Revert loyal:census
begin;

drop function loyal.count_members(integer[], text[], integer, integer, bigint, bigint, text, smallint[], integer, integer),
    loyal.told_above(bigint, integer, integer), loyal.told(bigint, integer);
drop table loyal.release, loyal.question_budget, loyal.privacy_rule;
update loyal.schema_version set version = 'network';

commit;
