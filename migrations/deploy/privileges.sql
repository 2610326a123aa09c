-- Deploy loyal:privileges
-- requires: check
-- Who may do what. Rights are on the parents only: nobody but the owner reaches a partition directly. Maintenance has
-- the owner's rights by membership. Nobody gets update, delete or truncate on the journal, but the eraser its facts.
begin;

alter default privileges revoke execute on functions from public;
revoke all on all tables in schema loyal from public;
revoke execute on all functions in schema loyal from public;

grant usage on schema loyal to loyal_daemon, loyal_maintenance, loyal_reader, loyal_insight, loyal_auditor,
    loyal_eraser;

-- The daemon: posts, answers, and keeps the reference tables for operators.
grant select on loyal.schema_version, loyal.reference_epoch, loyal.merchant, loyal.store, loyal.terminal,
    loyal.operator, loyal.rule, loyal.member, loyal.identifier, loyal.lot, loyal.debt, loyal.entry,
    loyal.basket_line, loyal.refusal, loyal.entry_leg to loyal_daemon;
grant insert on loyal.merchant, loyal.store, loyal.terminal, loyal.rule, loyal.member, loyal.identifier,
    loyal.lot, loyal.debt, loyal.entry, loyal.basket_line, loyal.refusal to loyal_daemon;
grant update (epoch) on loyal.reference_epoch to loyal_daemon;
grant update (available, debt, seq, chain, decided_at, next_change_at) on loyal.member to loyal_daemon;
grant update (points) on loyal.lot, loyal.debt to loyal_daemon;
grant delete on loyal.lot, loyal.debt to loyal_daemon;

-- The auditor: reads everything, changes nothing.
grant select on loyal.schema_version, loyal.reference_epoch, loyal.merchant, loyal.store, loyal.terminal,
    loyal.operator, loyal.rule, loyal.member, loyal.identifier, loyal.lot, loyal.debt, loyal.entry,
    loyal.basket_line, loyal.refusal, loyal.lease, loyal.entry_leg to loyal_auditor;

grant execute on function loyal.uuid_at(timestamptz), loyal.txt(text), loyal.chain_of(bytea, loyal.entry),
    loyal.line_bytes(loyal.basket_line), loyal.lines_bytes(smallint, bigint, uuid),
    loyal.facts_hash_of(loyal.entry, bytea), loyal.facts_hash_of(loyal.entry), loyal.leg_instant(bigint),
    loyal.leg_uuid(bigint, bigint), loyal.issuer_sums(integer, integer, timestamptz),
    loyal.findings(integer, integer, timestamptz, integer), loyal.owed_points(), loyal.state_hash(),
    loyal.receipts_twice(integer, integer)
    to loyal_daemon, loyal_auditor;
grant execute on function loyal.partitions_make(date, date), loyal.refusals_drop(timestamptz)
    to loyal_maintenance;

-- The eraser: finds rows by key and blanks facts. It reads none of them.
grant select (bucket, member_id, id) on loyal.entry to loyal_eraser;
grant update (salt, store_id, terminal_id, channel, till, receipt, part, business_date, occurred_at,
    amount_minor, paid_in_points_minor, currency) on loyal.entry to loyal_eraser;
grant select (bucket, member_id, entry_id, number) on loyal.basket_line to loyal_eraser;
grant update (product, category, quantity_milli, amount_minor) on loyal.basket_line to loyal_eraser;

update loyal.schema_version set version = 'privileges';

commit;
