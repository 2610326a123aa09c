-- Least privilege, tried for real: each statement runs under its role, and only what the role needs goes through.
begin;
select no_plan();

-- '' when the statement went through, its SQLSTATE when not; what it did is undone in either case.
create function pg_temp.try(role text, statement text) returns text
    language plpgsql
as $$
begin
    perform set_config('session_authorization', role, true); -- as if it had logged in
    execute statement;
    raise exception using errcode = 'LY000';
exception
    when sqlstate 'LY000' then return '';
    when others then return sqlstate;
end
$$;

insert into loyal.merchant values (1, 'a', 'A', 'EUR');
insert into loyal.member values (1, 1, 5, 0, 1, '', '2014-01-01 00:00+00', 'infinity');
insert into loyal.lot values (1, 1, loyal.uuid_at('2014-01-01 00:00+00'), 0, 1, 5, '2014-01-01 00:00+00', 'infinity');
insert into loyal.debt values (1, 1, 1, 5);
insert into loyal.entry (bucket, member_id, id, seq, decided_at, kind, merchant_id, points, balance, debt,
                         rule_version, legs, body_hash, facts_hash, chain, salt, till)
values (1, 1, loyal.uuid_at('2014-01-01 00:00+00'), 1, '2014-01-01 00:00+00', 2, 1, 5, 5, 0, 1, '{}', '', '', '', '', '');
insert into loyal.basket_line values (1, 1, loyal.uuid_at('2014-01-01 00:00+00'), 1, 'milk', 'food', 1, 1, 1);
insert into loyal.operator values (1, 'x', sha256('x'), true);
insert into loyal.identifier values (sha256('y'), 1, 1, 1);
insert into loyal.refusal (bucket, member_id, key, merchant_id, code, kind, decided_at, balance, debt)
values (1, 1, loyal.uuid_at('2014-01-02 00:00+00'), 1, 1, 3, '2014-01-02 00:00+00', 0, 0);
insert into loyal.standing_change values (1, 1, 1, 2, '2014-01-02 00:00+00', 1, 'late');
insert into loyal.member_standing_change values (1, 1, 1, 2, '2014-01-02 00:00+00', 1, 'lost card');
insert into loyal.terminal values (7, 1, 'seven', null, 1, sha256('seven'));
insert into loyal.certificate_change values (1, 7, sha256('z'), 1, '2014-01-02 00:00+00', 1, 'runs out');
insert into loyal.consent (bucket, member_id, consent_id, recipient, source, purpose, fields, granted_at, until_at,
                           text_version, channel, terminal_id, operator_id, body_hash, place)
values (1, 1, loyal.uuid_at('2014-01-03 00:00+00'), 1, 0, 1, 7, '2014-01-03 00:00+00', '2015-01-03 00:00+00', 'v1', 1, 1,
        0, '', 1);
insert into loyal.disclosure values (1, 1, loyal.uuid_at('2014-01-04 00:00+00'), '2014-01-04 00:00+00', 0, 0, 1, 43, 0,
                                     'why', '{}', '{}');
-- So that the views can be asked.
select set_config('loyal.asker', '1', true), set_config('loyal.purpose', '1', true),
       set_config('loyal.at', '2014-06-01 00:00+00', true);

create temp table login (role text);
insert into login values ('loyal_daemon'), ('loyal_maintenance'), ('loyal_reader'), ('loyal_insight'),
    ('loyal_auditor'), ('loyal_eraser');
create temp table relation (name text, kind "char", is_partition boolean);
insert into relation
select relname, relkind, relispartition from pg_class
where relnamespace = 'loyal'::regnamespace and relkind in ('r', 'p', 'v');
-- What the reader may select from, and nobody else.
create temp table seen (name text);
insert into seen values ('purchase_elsewhere'), ('line_elsewhere'), ('member_granting');

select ok(not (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)
          and rolcanlogin = (rolname not in ('loyal_owner', 'loyal_network')), rolname || ' is an ordinary role')
from pg_roles where rolname like 'loyal\_%' order by rolname;
select is((select count(*) from pg_roles where rolname like 'loyal\_%'), 8::bigint, 'eight roles');

-- Nobody but maintenance becomes somebody else, or makes anything.
select is(pg_temp.try(l.role, 'set local role ' || other), '42501', l.role || ' does not become ' || other)
from login l, unnest(array['loyal_owner', 'loyal_network', 'postgres', 'loyal_maintenance', 'loyal_daemon', 'loyal_auditor',
                           'loyal_eraser']) other
where l.role <> 'loyal_maintenance' and l.role <> other;
select is((select string_agg(g.rolname || ' of ' || r.rolname, ', ' order by g.rolname)
           from pg_auth_members m join pg_roles r on r.oid = m.roleid join pg_roles g on g.oid = m.member
           where g.rolname like 'loyal\_%' or r.rolname like 'loyal\_%'),
    'loyal_maintenance of loyal_owner, loyal_owner of loyal_network', 'there are two memberships');
select ok(pg_has_role('loyal_maintenance', 'loyal_owner', 'usage'), 'maintenance inherits the owner''s rights');
select is(pg_temp.try(l.role, statement), '42501', l.role || ': ' || statement)
from login l, unnest(array['create table loyal.x (a int)', 'create table public.x (a int)', 'create schema x',
                           'create temp table x (a int)', 'create view loyal.x as select 1',
                           'create function loyal.x() returns int language sql return 1',
                           'alter table loyal.member add x int', 'drop table loyal.lot',
                           'create role x', 'create extension btree_gist',
                           'copy loyal.merchant to program ''true''', 'select pg_read_file(''/etc/passwd'')']) statement
where l.role <> 'loyal_maintenance';

-- Nobody cuts a table short; nobody reaches a partition around its parent.
select is(pg_temp.try(l.role, 'truncate loyal.' || r.name), '42501', format('%s: truncate %s', l.role, r.name))
from login l, relation r where l.role <> 'loyal_maintenance' and r.kind in ('r', 'p') and not r.is_partition;
select is(pg_temp.try(l.role, format('select count(*) from loyal.%s_2014q1', parent)), '42501',
          format('%s: a partition of %s, directly', l.role, parent))
from login l, unnest(array['entry', 'basket_line', 'disclosure']) parent where l.role <> 'loyal_maintenance';
select is(pg_temp.try(l.role, format('insert into loyal.%s_2014q1 select * from loyal.%1$s_2014q1', parent)), '42501',
          format('%s: into a partition of %s, directly', l.role, parent))
from login l, unnest(array['entry', 'basket_line', 'disclosure']) parent where l.role <> 'loyal_maintenance';

-- The journal stays as it was written.
select is(pg_temp.try(l.role, statement), '42501', l.role || ': ' || statement)
from login l, unnest(array['delete from loyal.entry', 'delete from loyal.basket_line', 'delete from loyal.refusal',
                           'update loyal.entry set points = points', 'update loyal.entry set chain = chain',
                           'update loyal.entry set facts_hash = facts_hash', 'update loyal.entry set legs = legs',
                           'update loyal.basket_line set points = points', 'update loyal.refusal set code = code',
                           'update loyal.entry set xact = xact', 'delete from loyal.member',
                           'update loyal.identifier set key_version = 2',
                           'update loyal.schema_version set version = ''x''', 'update loyal.rule set numerator = 1',
                           'update loyal.merchant set name = ''x''', 'update loyal.lease set holder = ''x''',
                           'delete from loyal.schema_version', 'delete from loyal.merchant']) statement
where l.role <> 'loyal_maintenance';

-- What members granted, what was shown of them, who was suspended and what was counted stays as it was written, too
-- (R38-R40): none of it is deleted, and nothing but a grant's end and what the eraser blanks is ever changed.
select is(pg_temp.try(l.role, statement), '42501', l.role || ': ' || statement)
from login l, unnest(array[
    'delete from loyal.consent', 'delete from loyal.disclosure', 'delete from loyal.release',
    'delete from loyal.certificate_change', 'update loyal.certificate_change set standing = 3',
    'delete from loyal.standing_change', 'delete from loyal.member_standing_change', 'delete from loyal.privacy_rule',
    'delete from loyal.question_budget', 'delete from loyal.member_granting',
    'update loyal.consent set fields = 7', 'update loyal.consent set until_at = ''infinity''',
    'update loyal.consent set recipient = 2', 'update loyal.consent set source = 0', 'update loyal.consent set purpose = 2',
    'update loyal.consent set granted_at = granted_at', 'update loyal.consent set text_version = ''v2''',
    'update loyal.consent set place = 2', 'update loyal.consent set member_id = 2', 'update loyal.consent set body_hash = ''''',
    'update loyal.disclosure set entries = ''{}''', 'update loyal.disclosure set fields = ''{}''',
    'update loyal.disclosure set merchant_id = 2', 'update loyal.disclosure set disclosed_at = ''2014-02-01 00:00+00''',
    'update loyal.disclosure set member_id = 2', 'update loyal.disclosure set purpose = 1',
    'update loyal.standing_change set standing = 1', 'update loyal.standing_change set reason = ''''',
    'update loyal.member_standing_change set standing = 1', 'update loyal.member_standing_change set operator_id = 2',
    'update loyal.release set with_grant = 25', 'update loyal.privacy_rule set k = 5',
    'update loyal.question_budget set used = 0', 'insert into loyal.privacy_rule values (2, ''-infinity'', 5, 1000, 1)',
    'insert into loyal.question_budget values (1, 20140101, -1000)',
    'insert into loyal.release values (1, '''', ''2014-01-01 00:00+00'', 1, 20, 20, 20)',
    'update loyal.member_granting set place = 1', 'insert into loyal.member_granting (place) values (1)',
    'alter table loyal.entry disable row level security', 'drop policy network on loyal.consent',
    'create policy all_of_it on loyal.entry using (true)', 'alter view loyal.purchase_elsewhere reset (security_barrier)',
    'create or replace view loyal.member_granting as select 1']) statement
where l.role <> 'loyal_maintenance';
select is(pg_temp.try(l.role, statement), '42501', l.role || ' does not blank: ' || statement)
from login l, unnest(array['update loyal.disclosure set reason = ''''', 'update loyal.member_standing_change set reason = ''''',
                           'update loyal.refusal set points = null', 'update loyal.refusal set amount_minor = null',
                           'update loyal.basket_line set product = ''''', 'update loyal.entry set salt = null',
                           'delete from loyal.identifier']) statement
where l.role not in ('loyal_maintenance', 'loyal_eraser');
select is(pg_temp.try(l.role, statement), '42501', l.role || ' does not end a grant: ' || statement)
from login l, unnest(array['update loyal.consent set ended_at = ''2014-02-01 00:00+00'', end_kind = 1',
                           'update loyal.consent set end_terminal_id = 1']) statement
where l.role in ('loyal_reader', 'loyal_insight', 'loyal_auditor', 'loyal_eraser');
select is(pg_temp.try(l.role, 'update loyal.entry set till = null'), '42501', l.role || ' blanks no fact')
from login l where l.role not in ('loyal_maintenance', 'loyal_eraser');

-- Who sees what.
select is(pg_temp.try(l.role, 'select count(*) from loyal.' || r.name),
          case when l.role = 'loyal_reader' and (r.name in (table seen) or r.name = 'schema_version') then '' else '42501' end,
          format('what %s reads: %s', l.role, r.name))
from login l, relation r
where l.role in ('loyal_reader', 'loyal_insight') and not r.is_partition;
select is(pg_temp.try('loyal_auditor', 'select * from loyal.' || r.name), '', 'the auditor reads ' || r.name)
from relation r where not r.is_partition and r.name not in (table seen);
select is(pg_temp.try(l.role, 'select * from loyal.' || name), '42501', l.role || ' does not ask for a merchant: ' || name)
from login l, seen where l.role not in ('loyal_maintenance', 'loyal_reader');
select is(pg_temp.try(l.role, statement), '42501', l.role || ' does not count for a merchant: ' || statement)
from login l, unnest(array['select loyal.epoch()', 'select loyal.asker()',
                           'select * from loyal.count_members(null, null, null, null, null, null, null, null, 20, 1)'])
         statement
where l.role not in ('loyal_maintenance', 'loyal_reader');
select is(pg_temp.try(l.role, statement), '42501', l.role || ' does not: ' || statement)
from login l, unnest(array['select loyal.told(19, 5)', 'select loyal.told_above(20, 20, 20)']) statement
where l.role <> 'loyal_maintenance';

-- The reader writes down what was shown, and reads none of it (R40).
select is(pg_temp.try('loyal_reader', statement), '', 'loyal_reader: ' || statement)
from unnest(array['insert into loyal.disclosure values (1, 1, loyal_page, loyal.asked_at(), 1, 1, 0, 40, 1, '''', ''{}'', ''{}'')',
                  'select loyal.epoch()', 'select version from loyal.schema_version',
                  'select * from loyal.count_members(null, null, null, null, null, null, null, null, 20, 1)']) s,
     replace(s, 'loyal_page', quote_literal(loyal.uuid_at('2014-01-05 00:00+00'))) statement;
select is(pg_temp.try('loyal_reader', statement), '42501', 'loyal_reader: ' || statement)
from unnest(array['insert into loyal.disclosure values (1, 1, loyal_page, loyal.asked_at(), 1, 1, 0, 40, 1, '''', ''{}'', ''{}'')
                   returning member_id',
                  'insert into loyal.disclosure values (1, 1, loyal_page, loyal.asked_at(), 1, 1, 0, 40, 1, '''', ''{}'', ''{}'')
                   on conflict (bucket, member_id, page_id) do update set reason = excluded.reason',
                  'select 1 from loyal.disclosure', 'select 1 from loyal.disclosed_entry',
                  'select epoch from loyal.reference_epoch', 'lock table loyal.reference_epoch',
                  'lock table loyal.purchase_elsewhere in exclusive mode',
                  'select * from loyal.member_granting for update', 'select loyal.uuid_at(''2014-01-01 00:00+00'')',
                  'select * from loyal.issuer_sums(0, 255, ''2014-06-01 00:00+00'')',
                  'select * from loyal.member_rows(1::smallint, 1)']) s,
     replace(s, 'loyal_page', quote_literal(loyal.uuid_at('2014-01-05 00:00+00')::text)) statement;
-- It writes as who asks, for what and when, and as nobody else.
select is(pg_temp.try('loyal_reader', format('insert into loyal.disclosure values (1, 1, %L, %s, %s, 1, %s, 40, %s, %L, ''{}'', ''{}'')',
                          loyal.uuid_at('2014-01-05 00:00+00'), at, asker, operator, purpose, reason)), '42501',
          format('R40: no disclosure of %s to %s, operator %s, for %s, "%s"', at, asker, operator, purpose, reason))
from (values ('loyal.asked_at()', 2, 0, 1, ''), ('loyal.asked_at()', 1, 1, 1, ''), ('loyal.asked_at()', 1, 0, 2, ''),
             ('loyal.asked_at()', 0, 1, 0, 'because'), ('''2014-01-05 00:00+00''', 1, 0, 1, '')) v (at, asker, operator, purpose, reason);
select is(pg_temp.try('loyal_auditor', statement), '42501', 'loyal_auditor: ' || statement)
from unnest(array['insert into loyal.merchant values (2, ''b'', ''B'', ''EUR'')', 'delete from loyal.lot',
                  'update loyal.lot set points = 1', 'update loyal.member set available = 1',
                  'select * from loyal.member for update', 'select loyal.refusals_drop(''2014-01-01 00:00+00'')',
                  'select loyal.partitions_make(''2014-01-01'', ''2014-01-01'')']) statement;
select is(pg_temp.try(role, statement), '', role || ': ' || statement)
from unnest(array['loyal_auditor', 'loyal_daemon']) role,
     unnest(array['select * from loyal.findings(0, 255, ''2014-06-01 00:00+00'', 10)',
                  'select * from loyal.issuer_sums(0, 255, ''2014-06-01 00:00+00'')',
                  'select * from loyal.owed_points()', 'select loyal.state_hash()',
                  'select loyal.facts_hash_of(e), loyal.chain_of(null, e) from loyal.entry e',
                  'select * from loyal.entry_leg', 'select * from loyal.member_rows(1::smallint, 1)']) statement;

-- What the daemon lives on.
select is(pg_temp.try('loyal_daemon', statement), '', 'loyal_daemon: ' || statement)
from unnest(array[
    'select * from loyal.member where bucket = 1 for no key update',
    'select epoch from loyal.reference_epoch for share', 'update loyal.reference_epoch set epoch = epoch + 1',
    'update loyal.member set (available, debt, seq, chain, decided_at, next_change_at)
         = (1, 1, 2, '''', ''2014-01-02 00:00+00'', ''infinity'') where bucket = 1',
    'update loyal.lot set points = 1', 'delete from loyal.lot', 'update loyal.debt set points = 1',
    'delete from loyal.debt', 'insert into loyal.member select 2, 2, 0, 0, 0, '''', ''2014-01-01 00:00+00'', ''infinity''',
    'insert into loyal.lot select bucket, 2, entry_id, number, issuer, points, earned_at, expires_at from loyal.lot',
    'insert into loyal.debt select 1, 2, 1, 1',
    'insert into loyal.entry (bucket, member_id, id, seq, decided_at, kind, merchant_id, points, balance, debt,
         rule_version, legs, body_hash, facts_hash, chain)
     select 1, 2, id, 1, decided_at, 1, 1, 0, 0, 0, 0, ''{}'', '''', '''', '''' from loyal.entry',
    'insert into loyal.basket_line select bucket, 2, entry_id, 1, '''', '''', 1, 1, 1 from loyal.basket_line',
    'insert into loyal.refusal (bucket, member_id, key, merchant_id, code, kind, decided_at, balance, debt)
     select bucket, 1, id, 1, 1, 3, decided_at, 0, 0 from loyal.entry',
    'insert into loyal.identifier select sha256(''x''), 1, 1, 1',
    'insert into loyal.merchant values (2, ''b'', ''B'', ''EUR'') on conflict (code) do nothing',
    'insert into loyal.store values (1, 1, ''s'', '''') on conflict do nothing',
    'insert into loyal.terminal values (1, 1, ''t'', null, 1, sha256(''''))',
    'insert into loyal.rule values (1, 1, ''2014-01-01'', 1, 1, 0)', 'select * from loyal.operator',
    'update loyal.member set status = 2 where bucket = 1', 'update loyal.reference_epoch set one = one',
    'lock table loyal.reference_epoch in access exclusive mode', 'select * from loyal.standing',
    'select * from loyal.terminal_certificate',
    'insert into loyal.certificate_change select 2, terminal_id, certificate_sha256, 3, changed_at, 1, '''' from loyal.certificate_change',
    'insert into loyal.standing_change values (2, 1, 1, 1, ''2014-01-03 00:00+00'', 1, ''paid'')',
    'insert into loyal.member_standing_change select bucket, member_id, 2, 1, changed_at, 1, '''' from loyal.member_standing_change',
    'update loyal.consent set ended_at = ''2014-02-01 00:00+00'', end_kind = 1, end_terminal_id = 1, end_operator_id = 0
     where bucket = 1 and member_id = 1',
    'insert into loyal.consent select bucket, 2, consent_id, recipient, source, purpose, fields, granted_at, until_at,
         text_version, channel, terminal_id, operator_id, body_hash, place from loyal.consent',
    'insert into loyal.disclosure select bucket, 2, page_id, disclosed_at, 0, 0, 1, 43, 0, ''why'', entries, fields
     from loyal.disclosure',
    'select * from loyal.refusal', 'select version from loyal.schema_version']) statement;
select is(pg_temp.try('loyal_daemon', statement), '42501', 'loyal_daemon: ' || statement)
from unnest(array['update loyal.member set bucket = 3', 'select * from loyal.privacy_rule', 'select * from loyal.release',
                  'select * from loyal.question_budget', 'select * from loyal.disclosed_entry',
                  'delete from loyal.identifier', 'lock table loyal.member in exclusive mode',
                  'update loyal.lot set issuer = 2', 'update loyal.lot set expires_at = ''infinity''',
                  'update loyal.debt set issuer = 2', 'insert into loyal.operator values (1, ''x'', sha256(''''))',
                  'update loyal.operator set active = true', 'update loyal.terminal set active = true',
                  'delete from loyal.rule', 'select * from loyal.lease', 'delete from loyal.reference_epoch',
                  'select loyal.refusals_drop(''2014-01-01 00:00+00'')',
                  'select loyal.partitions_make(''2014-01-01'', ''2014-01-01'')']) statement;

-- The eraser blanks facts, and reads none.
select is(pg_temp.try('loyal_eraser', statement), '', 'loyal_eraser: ' || statement)
from unnest(array['update loyal.entry set salt = null, store_id = null, terminal_id = null, channel = null,
                      till = null, receipt = null, part = null, business_date = null, occurred_at = null,
                      amount_minor = null, paid_in_points_minor = null, currency = null
                   where bucket = 1 and member_id = 1',
                  'update loyal.basket_line set product = '''', category = '''', quantity_milli = 0, amount_minor = 0
                   where bucket = 1 and member_id = 1',
                  'update loyal.refusal set store_id = null, terminal_id = null, occurred_at = null, amount_minor = null,
                      points = null where bucket = 1 and member_id = 1',
                  'delete from loyal.identifier where bucket = 1 and member_id = 1',
                  'update loyal.disclosure set reason = '''' where bucket = 1 and member_id = 1',
                  'update loyal.member_standing_change set reason = '''' where bucket = 1 and member_id = 1',
                  'select epoch from loyal.reference_epoch', 'select version from loyal.schema_version']) statement;
select is(pg_temp.try('loyal_eraser', statement), '42501', 'loyal_eraser: ' || statement)
from unnest(array['select till from loyal.entry', 'select salt from loyal.entry', 'select product from loyal.basket_line',
                  'select * from loyal.member', 'update loyal.entry set till = receipt',
                  'select identifier_hash from loyal.identifier', 'select recipient from loyal.consent',
                  'select entries from loyal.disclosure', 'select reason from loyal.disclosure',
                  'update loyal.disclosure set reason = merchant_id', 'select reason from loyal.member_standing_change',
                  'select code from loyal.refusal', 'delete from loyal.identifier where identifier_hash = sha256(''y'')',
                  'update loyal.member set status = 4', 'update loyal.standing_change set reason = ''''',
                  'insert into loyal.identifier values (sha256(''z''), 1, 1, 1)', 'update loyal.reference_epoch set epoch = 0',
                  'insert into loyal.basket_line values (1, 1, loyal.uuid_at(''2014-01-01 00:00+00''), 2, '''', '''', 1, 1, 1)']) statement;

-- Maintenance has the rights of the owner, and not one more.
select is(pg_temp.try('loyal_maintenance', statement), '', 'loyal_maintenance: ' || statement)
from unnest(array['set local role loyal_owner', 'update loyal.lease set epoch = epoch + 1',
                  'update loyal.member set available = 0', 'delete from loyal.refusal',
                  'create table loyal.x (a int)', 'alter table loyal.entry add x int']) statement;
select is(pg_temp.try('loyal_maintenance', statement), '42501', 'loyal_maintenance: ' || statement)
from unnest(array['create role x', 'set local role postgres', 'set local role loyal_daemon',
                  'set local role loyal_reader', 'create table public.x (a int)',
                  'copy loyal.merchant to program ''true''']) statement;

-- A function made later is nobody's but its owner's.
set local role loyal_owner;
create function loyal.later() returns integer language sql return 1;
create table loyal.later_table (a integer);
reset role;
select is(pg_temp.try(l.role, 'select loyal.later()'), '42501', l.role || ' does not execute what comes later')
from login l where l.role <> 'loyal_maintenance';
select is(pg_temp.try(l.role, 'select * from loyal.later_table'), '42501', l.role || ' does not read what comes later')
from login l where l.role <> 'loyal_maintenance';
select is((select count(*) from pg_database d, aclexplode(d.datacl) a
           where d.datname = current_database() and a.grantee = 0), 0::bigint, 'PUBLIC has no right on the database');

select * from finish();
rollback;
