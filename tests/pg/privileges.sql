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

create temp table login (role text);
insert into login values ('loyal_daemon'), ('loyal_maintenance'), ('loyal_reader'), ('loyal_insight'),
    ('loyal_auditor'), ('loyal_eraser');
create temp table relation (name text);
insert into relation select relname from pg_class where relnamespace = 'loyal'::regnamespace and relkind in ('r', 'p');

select ok(not (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)
          and rolcanlogin = (rolname <> 'loyal_owner'), rolname || ' is an ordinary role')
from pg_roles where rolname like 'loyal\_%' order by rolname;
select is((select count(*) from pg_roles where rolname like 'loyal\_%'), 7::bigint, 'seven roles');

-- Nobody but maintenance becomes somebody else, or makes anything.
select is(pg_temp.try(l.role, 'set local role ' || other), '42501', l.role || ' does not become ' || other)
from login l, unnest(array['loyal_owner', 'postgres', 'loyal_maintenance']) other
where l.role <> 'loyal_maintenance' and l.role <> other;
select is((select string_agg(r.rolname, ' ') from pg_auth_members m join pg_roles r on r.oid = m.roleid
           join pg_roles g on g.oid = m.member where g.rolname like 'loyal\_%'), 'loyal_owner',
    'there is one membership');
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
from login l, relation r where l.role <> 'loyal_maintenance' and r.name !~ '_\d{4}q\d$';
select is(pg_temp.try(l.role, format('select count(*) from loyal.%s_2014q1', parent)), '42501',
          format('%s: a partition of %s, directly', l.role, parent))
from login l, unnest(array['entry', 'basket_line']) parent where l.role <> 'loyal_maintenance';

-- The journal stays as it was written.
select is(pg_temp.try(l.role, statement), '42501', l.role || ': ' || statement)
from login l, unnest(array['delete from loyal.entry', 'delete from loyal.basket_line', 'delete from loyal.refusal',
                           'update loyal.entry set points = points', 'update loyal.entry set chain = chain',
                           'update loyal.entry set facts_hash = facts_hash', 'update loyal.entry set legs = legs',
                           'update loyal.basket_line set points = points', 'update loyal.refusal set code = code',
                           'update loyal.entry set xact = xact', 'delete from loyal.member',
                           'update loyal.identifier set key_version = 2', 'delete from loyal.identifier',
                           'update loyal.schema_version set version = ''x''', 'update loyal.rule set numerator = 1',
                           'update loyal.merchant set name = ''x''', 'update loyal.lease set holder = ''x''']) statement
where l.role <> 'loyal_maintenance';
select is(pg_temp.try(l.role, 'update loyal.entry set till = null'), '42501', l.role || ' blanks no fact')
from login l where l.role not in ('loyal_maintenance', 'loyal_eraser');

-- Who sees what.
select is(pg_temp.try(l.role, 'select count(*) from loyal.' || r.name), '42501', format('%s does not read %s', l.role, r.name))
from login l, relation r
where l.role in ('loyal_reader', 'loyal_insight') and r.name !~ '_\d{4}q\d$';
select is(pg_temp.try('loyal_auditor', 'select * from loyal.' || r.name), '', 'the auditor reads ' || r.name)
from relation r where r.name !~ '_\d{4}q\d$';
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
                  'select * from loyal.entry_leg']) statement;

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
    'select * from loyal.refusal', 'select version from loyal.schema_version']) statement;
select is(pg_temp.try('loyal_daemon', statement), '42501', 'loyal_daemon: ' || statement)
from unnest(array['update loyal.member set status = 2', 'update loyal.member set bucket = 3',
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
                   where bucket = 1 and member_id = 1']) statement;
select is(pg_temp.try('loyal_eraser', statement), '42501', 'loyal_eraser: ' || statement)
from unnest(array['select till from loyal.entry', 'select salt from loyal.entry', 'select product from loyal.basket_line',
                  'select * from loyal.member', 'update loyal.entry set till = receipt',
                  'insert into loyal.basket_line values (1, 1, loyal.uuid_at(''2014-01-01 00:00+00''), 2, '''', '''', 1, 1, 1)']) statement;

-- Maintenance has the rights of the owner, and not one more.
select is(pg_temp.try('loyal_maintenance', statement), '', 'loyal_maintenance: ' || statement)
from unnest(array['set local role loyal_owner', 'update loyal.lease set epoch = epoch + 1',
                  'update loyal.member set available = 0', 'delete from loyal.refusal',
                  'create table loyal.x (a int)', 'alter table loyal.entry add x int']) statement;
select is(pg_temp.try('loyal_maintenance', statement), '42501', 'loyal_maintenance: ' || statement)
from unnest(array['create role x', 'set local role postgres', 'create table public.x (a int)',
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
