-- Erasure (R29): what it blanks and what it leaves, and the list of all that is stored about a member.
begin;
select no_plan();
\ir books.psql

-- Two members in one bucket, each with a row in every table that has members.
select pg_temp.id('2014-01-02', 1) as enrol, pg_temp.id('2014-01-03', 2) as own, pg_temp.id('2014-01-04', 3) as spent,
       pg_temp.id('2014-01-05', 4) as refund, pg_temp.id('2014-01-08', 5) as brief, pg_temp.id('2014-01-16', 6) as expiry,
       pg_temp.id('2014-01-17', 7) as last, pg_temp.id('2014-01-18', 8) as forfeit
\gset
\set own_t '''2014-01-03 00:00+00'', ''infinity'''
\set last_t '''2014-01-17 00:00+00'', ''infinity'''
\set brief_t '''2014-01-08 00:00+00'', ''2014-01-15 00:00+00'''
insert into loyal.operator values (1, 'olga', sha256('olga'), true);
select pg_temp.post(m, :'enrol', 1, 2, 0, 0, 0, '{}', null, '{}'),
       pg_temp.post(m, :'own', 2, 2, 50, 50, 0, pg_temp.leg(1, :'own', 0, 2, 50, :own_t), null, '{milk,food,beer,drink}'),
       pg_temp.post(m, :'spent', 3, 1, 40, 10, 0, pg_temp.leg(2, :'own', 0, 2, 40, :own_t)),
       pg_temp.post(m, :'refund', 4, 2, 50, 0, 40, pg_temp.leg(3, :'own', 0, 2, 10, :own_t)
           || pg_temp.leg(7, '00000000-0000-0000-0000-000000000000', 0, 2, 40, '2000-01-01 00:00+00', '2000-01-01 00:00+00'),
           :'own'),
       pg_temp.post(m, :'brief', 2, 1, 5, 5, 40, pg_temp.leg(1, :'brief', 0, 1, 5, :brief_t)),
       pg_temp.post(m, :'expiry', 6, 0, 5, 0, 40, pg_temp.leg(5, :'brief', 0, 1, 5, :brief_t), null, '{}'),
       pg_temp.post(m, :'last', 2, 1, 7, 7, 40, pg_temp.leg(1, :'last', 0, 1, 7, :last_t))
from unnest(array[257, 513]::bigint[]) m;
insert into loyal.lot select 1, m, :'last', 0, 1, 7, :last_t from unnest(array[257, 513]) m;
insert into loyal.debt select 1, m, 2, 40 from unnest(array[257, 513]) m;
insert into loyal.member
select bucket, member_id, balance, debt, seq, chain, decided_at, 'infinity' from loyal.entry where id = :'last';
insert into loyal.identifier select sha256(int8send(m + n)), 1, 1, m from unnest(array[257, 513]) m, generate_series(0, 1) n;
insert into loyal.refusal
select 1, m, :'spent', 3, 9, 3, '2014-01-09 00:00+00', 5, 40, null, '\x01', pg_current_xact_id(), 1, 2, '2014-01-09 00:00+00',
       300, 30
from unnest(array[257, 513]) m;
insert into loyal.consent
select 1, m, pg_temp.id('2014-01-09', n), n, 0, 1, 7, '2014-01-09 00:00+00', '2015-01-09 00:00+00', 'v1', 1, 2, 0, '\x01', 5,
       case n when 11 then timestamptz '2014-01-10 00:00+00' end, case n when 11 then 1 end, case n when 11 then 2 end,
       case n when 11 then 0 end
from unnest(array[257, 513]) m, unnest(array[11, 12, 13]) n;
insert into loyal.disclosure
select 1, m, pg_temp.id('2014-01-09', 20), '2014-01-09 00:00+00', 0, 0, 1, 43, 0, 'he called about his card', array[:'own']::uuid[], '{0}'
from unnest(array[257, 513]) m;
insert into loyal.member_standing_change
select 1, m, n, n, '2014-01-09 00:00+00', 1, 'lost his card' from unnest(array[257, 513]) m, generate_series(1, 2) n;

insert into loyal.erasure select 1, m, pg_temp.id('2014-01-09', m::int), '2014-01-09 00:00+00', 1, 5, '\x01' from unnest(array[257, 513]) m;

-- --- all that is stored about a member --------------------------------------------------------------------

-- A table that comes later and has members fails here until it is listed, too.
select bag_eq($$select distinct table_name from loyal.member_rows(1::smallint, 257)$$,
    $$select c.relname::text from pg_class c
      where c.relnamespace = 'loyal'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and (select count(*) from pg_attribute a where a.attrelid = c.oid and a.attname in ('bucket', 'member_id')) = 2
      union all select 'entry_leg'$$, 'R29: every table that has members is in the list of what is stored about one');
select is((select count(*) from pg_attribute a join pg_class c on c.oid = a.attrelid
           where c.relnamespace = 'loyal'::regnamespace and c.relkind in ('r', 'p') and a.attname in ('bucket', 'member_id')
                 and (select count(*) from pg_attribute b where b.attrelid = c.oid and b.attname in ('bucket', 'member_id')) = 1),
          0::bigint, 'a table has both or none');
select is_empty($$select table_name, a.attname from loyal.member_rows(1::smallint, 257) r
                       join pg_attribute a on a.attrelid = ('loyal.' || table_name)::regclass
                  where a.attnum > 0 and not a.attisdropped and not row_json ? a.attname
                        and not (table_name = 'entry' and a.attname = 'legs')$$,
    'R29: with every column, the legs as rows of their own');
select results_eq($$select table_name, count(*) from loyal.member_rows(1::smallint, 257) group by place, table_name order by place$$,
    $$values ('member', 1::bigint), ('identifier', 2), ('entry', 7), ('entry_leg', 7), ('basket_line', 6), ('lot', 1),
             ('debt', 1), ('refusal', 1), ('consent', 3), ('disclosure', 1), ('member_standing_change', 2), ('erasure', 1)$$,
    'R29: and every row');
select is_empty($$select * from loyal.member_rows(1::smallint, 257) where (row_json->>'member_id')::bigint <> 257$$,
    'R29: of nobody else in his bucket');
select is_empty($$select place, key from loyal.member_rows(1::smallint, 257) group by 1, 2 having count(*) > 1$$,
    'each row has a place of its own, so that pages follow each other');
select is_empty('select * from loyal.member_rows(2::smallint, 257)', 'a member is in one bucket');

-- --- points that are forfeited leave the books as such (R30) ----------------------------------------------
create temp table sums as select * from loyal.issuer_sums(0, 255, '2014-02-02 00:00+00');
select pg_temp.post(257, :'forfeit', 7, 0, 7, 0, 40, pg_temp.leg(5, :'last', 0, 1, 7, :last_t), null, '{}');
delete from loyal.lot where member_id = 257;
update loyal.member m set available = 0, seq = e.seq, chain = e.chain, decided_at = e.decided_at, status = 4
from loyal.entry e where m.member_id = 257 and e.member_id = 257 and e.id = :'forfeit';
insert into loyal.member_standing_change values (1, 257, 3, 4, '2014-01-18 00:00+00', 1, 'asked for it');
select results_eq($$select issuer, n.available - s.available, n.expired - s.expired, n.forfeited - s.forfeited,
                           n.issued = s.issued and n.redeemed = s.redeemed and n.clawed_back = s.clawed_back and n.debt = s.debt
                    from loyal.issuer_sums(0, 255, '2014-02-02 00:00+00') n join sums s using (issuer) order by 1$$,
    'values (1, -7::bigint, 0::bigint, 7::bigint, true), (2, 0, 0, 0, true)',
    'R30: what was available is forfeited, not expired; nothing else moves');
select is_empty(format($$select * from loyal.issuer_sums(0, 255, %L)
                         where issued <> available + redeemed + expired + forfeited + clawed_back - debt$$, as_of),
                'R30: issued = available + redeemed + expired + forfeited + clawed back - debt, as of ' || as_of)
from unnest(array['2014-01-01 00:00+00', '2014-02-02 00:00+00', 'infinity']) as_of;
select is_empty($$select * from loyal.findings(0, 255, '2014-02-02 00:00+00', 100)$$, 'R30: sound books before the erasure');

-- --- the erasure ------------------------------------------------------------------------------------------
create temp table before_it as
select m, r.* from unnest(array[257, 513]) m, loyal.member_rows(1::smallint, m) r;
truncate sums;
insert into sums select * from loyal.issuer_sums(0, 255, '2014-02-02 00:00+00');

-- As the daemon's eraser says it: member, when in microseconds, operator; the key, points and body hash of the request.
prepare erase (bigint, bigint, int, uuid, bigint, bytea) as
    with entries as (
        update loyal.entry
        set salt = null, store_id = null, terminal_id = null, channel = null, till = null, receipt = null, part = null,
            business_date = null, occurred_at = null, amount_minor = null, paid_in_points_minor = null, currency = null
        where bucket = ($1 & 255)::smallint and member_id = $1 returning bucket
    ), lines as (
        update loyal.basket_line set product = '', category = '', quantity_milli = 0, amount_minor = 0
        where bucket = ($1 & 255)::smallint and member_id = $1
    ), refusals as (
        update loyal.refusal
        set store_id = null, terminal_id = null, occurred_at = null, amount_minor = null, points = null
        where bucket = ($1 & 255)::smallint and member_id = $1
    ), identifiers as (
        delete from loyal.identifier where bucket = ($1 & 255)::smallint and member_id = $1
    ), reasons as (
        update loyal.disclosure set reason = '' where bucket = ($1 & 255)::smallint and member_id = $1
    ), changes as (
        update loyal.member_standing_change set reason = '' where bucket = ($1 & 255)::smallint and member_id = $1
    ), done as (
        insert into loyal.erasure (key, bucket, member_id, erased_at, operator_id, points, body_hash)
        values ($4, ($1 & 255)::smallint, $1, to_timestamp(0) + $2 * interval '1 us', $3, $5, $6) on conflict do nothing
    )
    select count(*) from entries;
set local session authorization loyal_eraser;
execute erase (257, 1390003200000000, 1, '01435fb2-f400-7000-8000-0000000000aa', 5, '\x02') \gset erased_
reset session authorization;

select is(:erased_count, 8, 'R29: all his entries are blanked');
create temp table after_it as
select m, r.* from unnest(array[257, 513]) m, loyal.member_rows(1::smallint, m) r;
select is_empty($$select table_name, column_name, value
                  from after_it join lateral jsonb_each_text(row_json) c (column_name, value) on true
                  where m = 257 and table_name not in ('entry_leg', 'consent') and coalesce(value, '') not in ('', '0')
                        and has_column_privilege('loyal_eraser', 'loyal.' || table_name, column_name, 'update')$$,
    'R29: nothing is left in any column that the eraser may blank');
select is_empty($$select table_name, text from after_it, lateral (select row_json::text) t (text)
                  where m = 257 and text ~ 'milk|beer|food|drink|receipt é|"T1"|EUR|card|asked for it|20140101'$$,
    'R29: nor is any word of his left anywhere');
select is_empty($$select * from after_it where m = 257 and table_name = 'identifier'$$, 'R29: nobody finds him by a card');
select bag_eq($$select table_name, key, row_json - array['salt', 'store_id', 'terminal_id', 'channel', 'till', 'receipt', 'part',
                           'business_date', 'occurred_at', 'amount_minor', 'paid_in_points_minor', 'currency']
                from after_it where m = 257 and table_name = 'entry'$$,
    $$select table_name, key, row_json - array['salt', 'store_id', 'terminal_id', 'channel', 'till', 'receipt', 'part',
                           'business_date', 'occurred_at', 'amount_minor', 'paid_in_points_minor', 'currency']
      from before_it where m = 257 and table_name = 'entry'$$, 'R29: what the chain covers stays');
select bag_eq($$select table_name, key, row_json from after_it where m = 257 and table_name in ('member', 'entry_leg', 'lot', 'debt')$$,
    $$select table_name, key, row_json from before_it where m = 257 and table_name in ('member', 'entry_leg', 'lot', 'debt')$$,
    'R29: as do legs, lots and debts');
select bag_eq($$select table_name, key, row_json from after_it where m = 513$$,
    $$select table_name, key, row_json from before_it where m = 513$$, 'R29: nobody else is touched, not in the same bucket');
select is_empty($$select * from loyal.findings(0, 255, '2014-02-02 00:00+00', 100)$$, 'R29: the books are as sound as before');
select results_eq($$select * from loyal.issuer_sums(0, 255, '2014-02-02 00:00+00')$$, 'select * from sums',
    'R29: every sum is unchanged');
select results_eq('select * from loyal.owed_points()', 'values (2, 1, 80::bigint)', 'R29: and what is owed');

-- Again: what was blanked before is blanked again.
select loyal.state_hash() as state \gset
set local session authorization loyal_eraser;
execute erase (257, 1390089600000000, 2, '01435fb2-f400-7000-8000-0000000000aa', 5, '\x02') \gset erased_
reset session authorization;
select is(:erased_count, 8, 'R29: who is erased twice');
select bag_eq($$select r.* from loyal.member_rows(1::smallint, 257) r$$,
    $$select place, key, table_name, row_json from after_it where m = 257$$, 'R29: is as he was after the first time');
select is(loyal.state_hash(), :'state'::bytea, 'R29: to the byte');

select * from finish();
rollback;
