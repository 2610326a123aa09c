-- Revert loyal:network
begin;

drop view loyal.disclosed_entry;
drop table loyal.disclosure;
drop policy network on loyal.basket_line;
drop policy network on loyal.entry;
drop policy network on loyal.consent;
drop policy others on loyal.basket_line;
drop policy others on loyal.entry;
drop policy others on loyal.consent;
alter table loyal.basket_line disable row level security;
alter table loyal.entry disable row level security;
alter table loyal.consent disable row level security;
drop view loyal.member_granting, loyal.line_elsewhere, loyal.purchase_elsewhere;
drop index loyal.entry_merchant;
drop function loyal.epoch(), loyal.asked_at(), loyal.asked_for(), loyal.asker();
update loyal.schema_version set version = 'consent';

commit;
