-- Revert loyal:maintenance
-- Partitions stay: they hold the journal, and go with it.
begin;

drop function loyal.refusals_drop(timestamptz), loyal.partitions_make(date, date), loyal.uuid_at(timestamptz);
drop table loyal.lease;
update loyal.schema_version set version = 'journal';

commit;
