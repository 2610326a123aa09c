-- Revert loyal:rights
begin;

revoke all on loyal.standing_change, loyal.standing, loyal.member_standing_change, loyal.consent, loyal.disclosure,
    loyal.disclosed_entry, loyal.erasure, loyal.privacy_rule, loyal.question_budget, loyal.release, loyal.purchase_elsewhere,
    loyal.line_elsewhere, loyal.member_granting
    from loyal_daemon, loyal_auditor, loyal_reader, loyal_eraser, loyal_network;
revoke all on loyal.entry, loyal.basket_line, loyal.merchant from loyal_network;
revoke all on loyal.refusal, loyal.identifier, loyal.reference_epoch, loyal.schema_version from loyal_eraser;
revoke all on loyal.schema_version from loyal_reader;
revoke update (status) on loyal.member from loyal_daemon;
revoke update on loyal.reference_epoch from loyal_daemon;
grant update (epoch) on loyal.reference_epoch to loyal_daemon;
revoke usage on schema loyal from loyal_network;
revoke all on function loyal.asker(), loyal.asked_for(), loyal.asked_at() from loyal_network, loyal_reader;
revoke all on function loyal.epoch(),
    loyal.count_members(integer[], text[], integer, integer, bigint, bigint, text, smallint[], integer, integer)
    from loyal_reader;
revoke all on function loyal.issuer_sums(integer, integer, timestamptz), loyal.member_rows(smallint, bigint)
    from loyal_daemon, loyal_auditor;
update loyal.schema_version set version = 'erasure';

commit;
