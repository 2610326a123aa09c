-- Deploy loyal:rights
-- requires: erasure
-- Who may do what with all that came after `privileges`. Rights are on the parents only.
begin;

revoke all on all tables in schema loyal from public;
revoke execute on all functions in schema loyal from public;

grant select on loyal.standing_change, loyal.standing, loyal.member_standing_change, loyal.consent, loyal.disclosure
    to loyal_daemon;
grant insert on loyal.standing_change, loyal.member_standing_change, loyal.consent, loyal.disclosure to loyal_daemon;
grant update (ended_at, end_kind, end_terminal_id, end_operator_id) on loyal.consent to loyal_daemon;
grant update (status) on loyal.member to loyal_daemon;
-- The whole table, which has nothing else to update, because LOCK TABLE asks for that.
grant update on loyal.reference_epoch to loyal_daemon;
grant execute on function loyal.issuer_sums(integer, integer, timestamptz), loyal.member_rows(smallint, bigint)
    to loyal_daemon, loyal_auditor;

-- The auditor reads everything that is stored.
grant select on loyal.standing_change, loyal.standing, loyal.member_standing_change, loyal.consent, loyal.disclosure,
    loyal.disclosed_entry, loyal.erasure, loyal.privacy_rule, loyal.question_budget, loyal.release to loyal_auditor;

-- The views' owner reads what they show, under row security.
grant usage on schema loyal to loyal_network;
grant select on loyal.entry, loyal.basket_line, loyal.consent to loyal_network;
grant select (merchant_id, currency) on loyal.merchant to loyal_network;
grant execute on function loyal.asker(), loyal.asked_for(), loyal.asked_at() to loyal_network, loyal_reader;

-- The reader asks for merchants: the views, the counts, and the record of what was shown, which it cannot read.
grant select on loyal.purchase_elsewhere, loyal.line_elsewhere, loyal.member_granting, loyal.schema_version to loyal_reader;
grant insert on loyal.disclosure to loyal_reader;
grant execute on function loyal.epoch(),
    loyal.count_members(integer[], text[], integer, integer, bigint, bigint, text, smallint[], integer, integer)
    to loyal_reader;

-- The eraser blanks what is personal; it reads only what it finds rows by.
grant select on loyal.schema_version, loyal.reference_epoch to loyal_eraser;
grant select (bucket, member_id, key, merchant_id) on loyal.refusal to loyal_eraser;
grant update (store_id, terminal_id, occurred_at, amount_minor, points) on loyal.refusal to loyal_eraser;
grant select (bucket, member_id) on loyal.identifier to loyal_eraser;
grant delete on loyal.identifier to loyal_eraser;
grant select (bucket, member_id, page_id) on loyal.disclosure to loyal_eraser;
grant update (reason) on loyal.disclosure to loyal_eraser;
grant select (bucket, member_id, number) on loyal.member_standing_change to loyal_eraser;
grant update (reason) on loyal.member_standing_change to loyal_eraser;
grant select, insert on loyal.erasure to loyal_eraser;
grant select on loyal.erasure to loyal_daemon;

update loyal.schema_version set version = 'rights';

commit;
