-- Quarters made ahead: which, with what bounds, whose, and what they refuse.
begin;
select plan(34);

select is(loyal.uuid_at('1970-01-01 00:00+00')::text, '00000000-0000-7000-8000-000000000000', 'the first UUIDv7');
select is(loyal.uuid_at('2014-01-01 00:00:00.0009+00'), loyal.uuid_at('2014-01-01 00:00+00'),
    'the smallest of its millisecond');
select cmp_ok(loyal.uuid_at('2014-01-01 00:00:00.001+00'), '>',
    '01434b19-8400-7fff-bfff-ffffffffffff'::uuid, 'after all of the millisecond before');

select has_table('loyal', 'entry_2014q1', 'deploy makes the first quarter of its range');
select has_table('loyal', 'basket_line_2014q4', 'and the last');
select has_table('loyal', 'disclosure_2014q2', 'of each table that a UUIDv7 divides');
select hasnt_table('loyal', 'entry_2015q1', 'but no more');
select is(loyal.partitions_make('2014-01-01', '2014-12-31'), 0, 'what exists is left alone');
select is(loyal.partitions_make('2014-12-31', '2015-01-01'), 3, 'one quarter, three tables');
select is(loyal.partitions_make('2019-11-30', '2020-05-01'), 9, 'over a new year, after a gap');
select is(loyal.partitions_make('2014-01-01', '2015-12-31'), 9, 'only those that are missing');
select has_table('loyal', 'entry_2015q4', 'named by year and quarter');
select throws_ok($$select loyal.partitions_make('2015-01-01', '2014-12-31')$$, '22023', null, 'not backwards');
select throws_ok($$select loyal.partitions_make('2015-01-01', null)$$, '22023', null, 'not without an end');
select throws_ok($$select loyal.partitions_make('2015-01-01', '9999-01-01')$$, '22023', null, 'not without bound');
select throws_ok($$select loyal.partitions_make('1969-12-31', '2014-01-01')$$, '22023', null,
    'UUIDv7 start in 1970');

select is(pg_get_expr(relpartbound, oid), format('FOR VALUES FROM (%L) TO (%L)',
        loyal.uuid_at('2015-04-01 00:00+00'), loyal.uuid_at('2015-07-01 00:00+00')), 'UTC quarters, ' || relname)
from pg_class where relname in ('entry_2015q2', 'basket_line_2015q2', 'disclosure_2015q2') and relnamespace = 'loyal'::regnamespace
order by relname;
select is_empty($$select conname from pg_constraint where conname = 'range_ahead'$$,
    'the check that spared the scan is gone');
select is_empty($$select child.relname
                  from pg_class child join pg_inherits on inhrelid = child.oid join pg_class parent on parent.oid = inhparent
                  where parent.relnamespace = 'loyal'::regnamespace
                  and (child.relowner <> parent.relowner or child.relacl is not null)$$,
    'each has the owner of its parent, and nobody else any right');
select is((select count(*) from pg_index where indrelid = 'loyal.entry_2015q2'::regclass), 4::bigint,
    'the indexes of the parent, each once');
select is((select count(*) from pg_inherits i join pg_index x on x.indexrelid = i.inhrelid
           where x.indrelid = 'loyal.entry_2015q2'::regclass), 4::bigint, 'attached to those of the parent');
select col_has_default('loyal', 'entry_2015q2', 'xact', 'xact fills itself');
select is((select count(*) from pg_index where indrelid = 'loyal.disclosure_2015q2'::regclass), 1::bigint,
    'a record of disclosures has its key, and no index beside it');

-- A table that comes later needs no word in the function.
set local role loyal_owner;
create table loyal.later (at date, id uuid) partition by range (id);
create table loyal.by_day (at date, id uuid) partition by range (at);
reset role;
select is(loyal.partitions_make('2015-10-01', '2015-10-01'), 1, 'what is divided by a UUIDv7 gets its quarters');
select has_table('loyal', 'later_2015q4', 'by its own column');
drop table loyal.later, loyal.by_day;

set timezone = 'America/New_York';
select is(loyal.partitions_make('2016-01-01', '2016-01-01'), 3, 'whatever the time zone of the session');
select is((select pg_get_expr(relpartbound, oid) from pg_class where oid = 'loyal.entry_2016q1'::regclass),
    format('FOR VALUES FROM (%L) TO (%L)', loyal.uuid_at('2016-01-01 00:00+00'),
           loyal.uuid_at('2016-04-01 00:00+00')), 'the quarter is UTC');

-- Maintenance makes them with nothing but its own login.
set local role loyal_maintenance;
select loyal.partitions_make('2017-01-01', '2017-03-31') as made \gset
reset role;
select is(:made, 3, 'maintenance makes them');
select is((select relowner::regrole::text from pg_class where oid = 'loyal.entry_2017q1'::regclass), 'loyal_owner',
    'and the owner owns them');

insert into loyal.refusal (bucket, member_id, key, merchant_id, code, kind, decided_at, balance, debt)
select 1, 1, loyal.uuid_at(t), 1, 1, 3, t, 0, 0
from unnest(array['2014-01-01 00:00+00', '2014-02-01 00:00+00', '2014-03-01 00:00+00']::timestamptz[]) t;
set local role loyal_maintenance;
select loyal.refusals_drop('2014-02-01 00:00+00') as dropped \gset
reset role;
select is(:dropped, 1, 'refusals before the bound are dropped');
select results_eq('select decided_at from loyal.refusal order by 1',
    array['2014-02-01 00:00+00', '2014-03-01 00:00+00']::timestamptz[], 'those at and after it stay');
select throws_ok($$insert into loyal.basket_line values (1, 1, loyal.uuid_at('2018-01-01 00:00+00'), 1, '', '', 0, 0, 0)$$,
    '23514', null, 'no quarter, no row');

select * from finish();
rollback;
