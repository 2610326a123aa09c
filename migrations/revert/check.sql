-- Revert loyal:check
begin;

drop function loyal.state_hash(), loyal.receipts_twice(integer, integer), loyal.owed_points(), loyal.findings(integer, integer, timestamptz, integer),
    loyal.issuer_sums(integer, integer, timestamptz);
drop view loyal.entry_leg;
drop function loyal.leg_uuid(bigint, bigint), loyal.leg_instant(bigint), loyal.facts_hash_of(loyal.entry),
    loyal.facts_hash_of(loyal.entry, bytea), loyal.lines_bytes(smallint, bigint, uuid),
    loyal.line_bytes(loyal.basket_line), loyal.chain_of(bytea, loyal.entry), loyal.txt(text);
update loyal.schema_version set version = 'maintenance';

commit;
