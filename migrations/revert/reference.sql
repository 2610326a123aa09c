-- Revert loyal:reference
begin;

drop table loyal.schema_version, loyal.rule, loyal.operator, loyal.terminal, loyal.store, loyal.merchant,
    loyal.reference_epoch;

commit;
