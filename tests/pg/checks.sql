-- The books of two members, made by hand: sound they give no finding; each tampering names its row and member.
begin;
select no_plan();

\ir books.psql

-- The findings after a statement, whose effect is then undone.
create function pg_temp.after(statement text) returns setof text
    language plpgsql
as $$
declare
    found text[];
begin
    begin
        execute statement;
        select array_agg(format('%s: %s: %s', coalesce(f.member_id::text, '-'), row_name, what))
        into found
        from loyal.findings(0, 255, '2014-02-02 00:00+00', 100) f;
        raise exception using errcode = 'LY000';
    exception when sqlstate 'LY000' then null;
    end;
    return query select unnest(found);
end
$$;

-- --- the hashes, against values computed outside of the database -----------------------------------

create temp table gold as
select (row(200, -123456789012, '01434b19-8400-7123-89ab-cdef01234567', 1, '2014-01-01 12:34:56.789012+00', 2, 7, 2, 2,
            0, 4, '{1,90998990438428963,-8526495043095935641,0,1,2,441894896789012,9223372036854775807}', null,
            '\x101112131415161718191a1b1c1d1e1f', '\xe8e4e03b5098bb6e2adc97dce8bbb569ab5a9411313af3ec951dcbd9a02d90ab',
            '', '1', '\x000102030405060708090a0b0c0d0e0f', 7, 8, 1, 'T-9', '№ 42', 3, 20140101,
            '2014-01-01 12:34:50+00', 298, -5, 'EUR')::loyal.entry).*;
select is(loyal.facts_hash_of(row(gold.*)::loyal.entry,
              loyal.line_bytes(row(200, -123456789012, id, 1, 'crème', 'laiterie', 1500, 299, 2)::loyal.basket_line)
              || loyal.line_bytes(row(200, -123456789012, id, 2, '', 'x', -1000, -1, 0)::loyal.basket_line)),
          '\xe8e4e03b5098bb6e2adc97dce8bbb569ab5a9411313af3ec951dcbd9a02d90ab'::bytea, 'facts_hash of every kind of fact')
from gold;
select is(loyal.chain_of(null, row(gold.*)::loyal.entry),
          '\xff0203b5d45a328712f829b145ce2415c9627433ed43e5c89f81eeb7b4ee56f3'::bytea, 'chain of a first entry') from gold;
update gold set id = '01434b19-8400-7fff-bfff-ffffffffffff', seq = 2, kind = 4, points = 0, rule_version = 0, legs = '{}',
                original = id, chain = '\xff0203b5d45a328712f829b145ce2415c9627433ed43e5c89f81eeb7b4ee56f3';
select is(loyal.chain_of(chain, row(gold.*)::loyal.entry),
          '\x25d1c42b8730e31c031eade49bcca1ab011a2cd41c01bc81a1520c8ea246285b'::bytea,
          'chain of a second one, without legs, of an original') from gold;
update gold set till = null;
select is(loyal.facts_hash_of(row(gold.*)::loyal.entry, ''), null, 'no hash where a fact is missing') from gold;

-- --- the worked example (DOMAIN.md): A = 1, B = 2, C = 3 -------------------------------------------
select pg_temp.id('2014-01-02', 1) as enrol, pg_temp.id('2014-01-03', 2) as l1, pg_temp.id('2014-01-04', 3) as l2,
       pg_temp.id('2014-01-05', 4) as l3, pg_temp.id('2014-02-01', 5) as redeem, pg_temp.id('2014-02-01', 6) as reverse
\gset
\set t1 '''2014-01-03 00:00+00'', ''2014-04-01 00:00+00'''
\set t2 '''2014-01-04 00:00+00'', ''2014-07-01 00:00+00'''
\set t3 '''2014-01-05 00:00+00'', ''2014-07-01 00:00+00'''

select pg_temp.post(257, :'enrol', 1, 1, 0, 0, 0, '{}', null, '{}');
select pg_temp.post(257, :'l1', 2, 1, 600, 600, 0, pg_temp.leg(1, :'l1', 0, 1, 600, :t1));
select pg_temp.post(257, :'l2', 2, 2, 300, 900, 0, pg_temp.leg(1, :'l2', 0, 2, 300, :t2), null, '{milk,food,beer,drink}');
select pg_temp.post(257, :'l3', 2, 1, 200, 1100, 0, pg_temp.leg(1, :'l3', 0, 1, 200, :t3));
select pg_temp.post(257, :'redeem', 3, 3, 1000, 100, 0,
    pg_temp.leg(2, :'l1', 0, 1, 600, :t1) || pg_temp.leg(2, :'l2', 0, 2, 300, :t2) || pg_temp.leg(2, :'l3', 0, 1, 100, :t3));
select pg_temp.post(257, :'reverse', 5, 3, 400, 500, 0,
    pg_temp.leg(6, :'l3', 0, 1, 100, :t3) || pg_temp.leg(6, :'l2', 0, 2, 300, :t2), :'redeem');
insert into loyal.lot values (1, 257, :'l2', 0, 2, 300, :t2), (1, 257, :'l3', 0, 1, 200, :t3);
insert into loyal.member
select bucket, member_id, balance, debt, seq, chain, decided_at, '2014-07-01 00:00+00' from loyal.entry where id = :'reverse';

select results_eq($$select * from loyal.issuer_sums(0, 255, '2014-02-02 00:00+00')$$,
    'values (1, 800::bigint, 200::bigint, 600::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint), (2, 300, 300, 0, 0, 0, 0, 0)',
    'R30: the worked example, L1 600, L2 300, L3 200, 1000 redeemed, 400 reversed');
select results_eq($$select * from loyal.issuer_sums(0, 255, '2014-07-01 00:00+00')$$,
    'values (1, 800::bigint, 0::bigint, 600::bigint, 200::bigint, 0::bigint, 0::bigint, 0::bigint), (2, 300, 0, 0, 300, 0, 0, 0)',
    'R21: the same books at the lots'' expiry');
select results_eq('select * from loyal.owed_points()', 'values (1, 3, 600::bigint)',
    'A owes C for 600 points, B owes C nothing');

-- --- a second member: debt, repayment, expiry, an erased entry; B redeems its own points -----------
select pg_temp.id('2014-01-02', 11) as first, pg_temp.id('2014-01-03', 12) as own, pg_temp.id('2014-01-04', 13) as spent,
       pg_temp.id('2014-01-05', 14) as refund, pg_temp.id('2014-01-06', 15) as again, pg_temp.id('2014-01-07', 16) as brief,
       pg_temp.id('2014-01-20', 17) as expiry, pg_temp.id('2014-01-21', 18) as last
\gset
\set own_t '''2014-01-03 00:00+00'', ''infinity'''
\set again_t '''2014-01-06 00:00+00'', ''infinity'''
\set brief_t '''2014-01-07 00:00+00'', ''2014-01-15 00:00+00'''
\set last_t '''2014-01-21 00:00+00'', ''infinity'''
select pg_temp.post(250, :'first', 1, 2, 0, 0, 0, '{}');
select pg_temp.post(250, :'own', 2, 2, 50, 50, 0, pg_temp.leg(1, :'own', 0, 2, 50, :own_t));
select pg_temp.post(250, :'spent', 3, 2, 40, 10, 0, pg_temp.leg(2, :'own', 0, 2, 40, :own_t));
select pg_temp.post(250, :'refund', 4, 2, 50, 0, 40,
    pg_temp.leg(3, :'own', 0, 2, 10, :own_t)
    || pg_temp.leg(7, '00000000-0000-0000-0000-000000000000', 0, 2, 40, '2000-01-01 00:00+00', '2000-01-01 00:00+00'), :'own');
select pg_temp.post(250, :'again', 2, 2, 30, 0, 10,
    pg_temp.leg(1, :'again', 0, 2, 30, :again_t) || pg_temp.leg(4, :'again', 0, 2, 30, :again_t));
select pg_temp.post(250, :'brief', 2, 1, 5, 5, 10, pg_temp.leg(1, :'brief', 0, 1, 5, :brief_t));
select pg_temp.post(250, :'expiry', 6, 0, 5, 0, 10, pg_temp.leg(5, :'brief', 0, 1, 5, :brief_t), null, '{}');
select pg_temp.post(250, :'last', 2, 1, 7, 7, 10, pg_temp.leg(1, :'last', 0, 1, 7, :last_t));
insert into loyal.lot values (250, 250, :'last', 0, 1, 7, :last_t);
insert into loyal.debt values (250, 250, 2, 10);
insert into loyal.member
select bucket, member_id, balance, debt, seq, chain, decided_at, 'infinity' from loyal.entry where id = :'last';

select results_eq($$select * from loyal.issuer_sums(0, 255, '2014-02-02 00:00+00')$$,
    'values (1, 812::bigint, 207::bigint, 600::bigint, 5::bigint, 0::bigint, 0::bigint, 0::bigint), (2, 380, 300, 40, 0, 0, 50, 10)',
    'R30: both members');
select results_eq($$select * from loyal.issuer_sums(250, 255, '2014-02-02 00:00+00')$$,
    'values (1, 12::bigint, 7::bigint, 0::bigint, 5::bigint, 0::bigint, 0::bigint, 0::bigint), (2, 80, 0, 40, 0, 0, 50, 10)',
    'only some buckets');
select is_empty(format($$select * from loyal.issuer_sums(0, 255, %L)
                         where issued <> available + redeemed + expired + forfeited + clawed_back - debt$$, as_of),
                'R30: issued = available + redeemed + expired + forfeited + clawed back - debt, as of ' || as_of)
from unnest(array['2014-01-01 00:00+00', '2014-02-02 00:00+00', 'infinity']) as_of;
select results_eq('select * from loyal.owed_points()', 'values (1, 3, 600::bigint), (2, 2, 40)',
    'issuer = redeemer is listed');
select is((select count(*) from loyal.entry_leg), 17::bigint, 'each leg is a row');
select results_eq(format($$select merchant_id, entry_kind::int, leg_kind::int, lot_entry, lot_number::int, issuer::int,
                                  points::int, earned_at, expires_at
                           from loyal.entry_leg where entry_id = %L order by leg_kind$$, :'refund'),
    format($$values (2, 4, 3, %L::uuid, 0, 2, 10, '2014-01-03 00:00+00'::timestamptz, 'infinity'::timestamptz),
                    (2, 4, 7, null, null, 2, 40, '2000-01-01 00:00+00', '2000-01-01 00:00+00')$$, :'own'),
    'legs come out as they went in');
select is_empty($$select * from loyal.findings(0, 255, '2014-02-02 00:00+00', 100)$$, 'sound books have no finding');

-- --- the hash of everything ------------------------------------------------------------------------
select loyal.state_hash() as state \gset
create temp table moved as select * from loyal.lot;
delete from loyal.lot;
insert into loyal.lot select * from moved order by entry_id desc;
update loyal.entry set kind = kind;
update loyal.member set status = status;
select is(loyal.state_hash(), :'state'::bytea, 'the state does not depend on where its rows lie');
create function pg_temp.state_after(statement text) returns bytea
    language plpgsql
as $$
declare
    state bytea;
begin
    begin
        execute statement;
        state := loyal.state_hash();
        raise exception using errcode = 'LY000';
    exception when sqlstate 'LY000' then null;
    end;
    return state;
end
$$;
select isnt(pg_temp.state_after(statement), :'state'::bytea, 'another state: ' || statement)
from unnest(array['update loyal.lot set points = 8 where points = 7', 'delete from loyal.debt',
                  'update loyal.member set status = 2 where bucket = 1', 'update loyal.entry set points = 8 where seq = 8',
                  'update loyal.entry set till = ''T2'' where seq = 8', 'delete from loyal.entry where seq = 8',
                  'update loyal.basket_line set number = 9 where number = 2']) statement;
select isnt(pg_temp.state_after('delete from loyal.entry'), pg_temp.state_after('delete from loyal.lot'), 'which table counts');

-- --- erasure leaves nothing to find (R29) -----------------------------------------------------------
select is_empty($$select pg_temp.after('update loyal.entry set salt = null, store_id = null, terminal_id = null,
    channel = null, till = null, receipt = null, part = null, business_date = null, occurred_at = null,
    amount_minor = null, paid_in_points_minor = null, currency = null where seq = 3')$$, 'erased entries stay sound');

-- --- tampering --------------------------------------------------------------------------------------
-- One byte of each column under the chain, and of each fact.
create temp table change (statement text);
insert into change
select format('update loyal.entry set %s where member_id = 257 and seq = 3', assignment)
from unnest(array[
    'id = overlay(id::text placing ''f'' from 36)::uuid', 'decided_at = decided_at + interval ''1 microsecond''',
    'kind = 3', 'merchant_id = 1', 'points = points + 1', 'balance = balance + 1', 'debt = debt + 1',
    'rule_version = 0', 'legs[1] = 6', 'legs[2] = legs[2] # 1', 'legs[3] = legs[3] # 1', 'legs[4] = 1', 'legs[5] = 1',
    'legs[6] = 301', 'legs[7] = legs[7] + 1', 'legs[8] = legs[8] # (1::bigint << 62)', 'legs[1] = 260',
    'legs[5] = legs[5] # (1::bigint << 40)', 'legs[6] = legs[6] # (1::bigint << 62)', 'legs[7] = legs[7] # (1::bigint << 62)',
    'legs = ''{}''', 'legs = legs || 1::bigint', 'legs = array[legs]', 'legs[1] = null', 'original = id',
    'body_hash = set_byte(body_hash, 0, get_byte(body_hash, 0) # 1)',
    'body_hash = set_byte(body_hash, 15, get_byte(body_hash, 15) # 128)',
    'facts_hash = set_byte(facts_hash, 31, get_byte(facts_hash, 31) # 1)',
    'chain = set_byte(chain, 7, get_byte(chain, 7) # 1)',
    'salt = set_byte(salt, 3, get_byte(salt, 3) # 1)', 'salt = null', 'store_id = 2', 'terminal_id = 1', 'channel = 2',
    'till = ''T2''', 'receipt = receipt || '' ''', 'part = 1', 'business_date = 20140102',
    'occurred_at = occurred_at + interval ''1 microsecond''', 'amount_minor = 399', 'paid_in_points_minor = 1',
    'currency = ''EUr''', 'till = null']) assignment;
insert into change
select format('update loyal.basket_line set %s where member_id = 257 and entry_id = %L and number = 2', assignment, :'l2')
from unnest(array['product = ''bear''', 'category = ''''', 'quantity_milli = 1001', 'amount_minor = 198', 'points = 3',
                  'number = 0']) assignment;
insert into change
select format('delete from loyal.basket_line where entry_id = %L and number = 2', :'l2')
union all
select format('insert into loyal.basket_line values (1, 257, %L, 3, '''', '''', 0, 0, 0)', :'l2');
select ok(exists (select from pg_temp.after(statement) f where f like '257: entry % seq 3: %'),
          'finds the entry: ' || statement)
from change;
select ok(not exists (select from pg_temp.after(statement) f where f like '250: %'), 'and no other member: ' || statement)
from change;

select is((select string_agg(f, E'\n') from pg_temp.after(statement) f), wanted, 'all findings: ' || statement)
from (values
    (format('delete from loyal.lot where entry_id = %L', :'l3'),
     E'-: issuer 1: issued 812, but available 7, past expiry 0 and out of lots 605 (R30)\n'
     || format(E'257: lot %s/0: missing, legs give 200\n', :'l3')
     || '257: member: available is 500, lots give 300'),
    ('update loyal.member set available = available + 1 where member_id = 257',
     '257: member: available is 501, lots give 500; available is 501, his last entry says 500'),
    ('update loyal.member set debt = 9 where member_id = 250',
     '250: member: debt is 9, debts give 10; debt is 9, his last entry says 10'),
    ('update loyal.member set seq = 7 where member_id = 250', '250: member: seq is 7, his last entry''s 8'),
    ('update loyal.member set chain = sha256(chain) where member_id = 250',
     '250: member: chain is not his last entry''s'),
    ('update loyal.member set decided_at = ''2014-01-21 00:00:01+00'' where member_id = 250',
     '250: member: decided_at is 2014-01-21 00:00:01+00, his last entry''s 2014-01-21 00:00:00+00'),
    ('update loyal.member set next_change_at = ''infinity'' where member_id = 257',
     '257: member: next_change_at is infinity, lots give 2014-07-01 00:00:00+00'),
    ('delete from loyal.member where member_id = 257', '257: member: missing, but he has entries'),
    ('insert into loyal.member values (3, 3, 0, 0, 1, '''', ''2014-01-01 00:00+00'', ''infinity'')',
     '3: member: seq is 1, his last entry''s 0'),
    ('update loyal.debt set points = 11',
     E'250: debt to issuer 2: points are 11, legs give 10\n250: member: debt is 10, debts give 11'),
    ('delete from loyal.debt',
     E'250: debt to issuer 2: missing, legs give 10\n250: member: debt is 10, debts give 0'),
    ('update loyal.debt set issuer = 1',
     E'250: debt to issuer 1: points are 10, legs give 0\n250: debt to issuer 2: missing, legs give 10'),
    (format('update loyal.lot set points = 199, issuer = 2 where entry_id = %L', :'l3'),
     E'-: issuer 1: issued 812, but available 7, past expiry 0 and out of lots 605 (R30)\n'
     || E'-: issuer 2: issued 380, but available 499, past expiry 0 and out of lots 80 (R30)\n'
     || format(E'257: lot %s/0: points are 199, legs give 200; issuer is 2, in legs 1\n', :'l3')
     || '257: member: available is 500, lots give 499'),
    (format('update loyal.lot set expires_at = ''infinity'', earned_at = ''2014-01-05 00:00:01+00'' where entry_id = %L', :'l3'),
     format('257: lot %s/0: earned_at is 2014-01-05 00:00:01+00, in legs 2014-01-05 00:00:00+00;'
            ' expires_at is infinity, in legs 2014-07-01 00:00:00+00', :'l3')),
    (format('insert into loyal.lot values (250, 250, %L, 1, 1, 3, %s)', :'last', $$'2014-01-21 00:00+00', 'infinity'$$),
     E'-: issuer 1: issued 812, but available 210, past expiry 0 and out of lots 605 (R30)\n'
     || format(E'250: lot %s/1: 3 points that no leg made\n', :'last') || '250: member: available is 7, lots give 10'),
    (format('delete from loyal.entry where id = %L; delete from loyal.basket_line where entry_id = %1$L', :'l2'),
     E'-: issuer 2: issued 80, but available 300, past expiry 0 and out of lots 80 (R30)\n'
     || format(E'257: entry %s seq 4: seq follows 2; chain is not that of the row and the one before;'
               ' balance is 1100, legs give 800\n', :'l3')
     || format(E'257: lot %s/0: points are 300, legs give 0', :'l2')),
    (format('delete from loyal.entry where id = %L', :'last'),
     E'-: issuer 1: issued 805, but available 207, past expiry 0 and out of lots 605 (R30)\n'
     || format(E'250: entry %s: missing, but it has basket lines\n', :'last')
     || format(E'250: lot %s/0: 7 points that no leg made\n', :'last')
     || '250: member: available is 7, his last entry says 0; seq is 8, his last entry''s 7;'
     || ' chain is not his last entry''s; decided_at is 2014-01-21 00:00:00+00, his last entry''s 2014-01-20 00:00:00+00')
    ) as tampering (statement, wanted);

-- Who knows the algorithm and forges the chain as well is caught by the sums and by the entries that follow.
select ok(exists (select from pg_temp.after(format($$
    update loyal.entry set points = 8, balance = 8, legs[6] = 8 where id = %1$L;
    update loyal.entry e set chain = loyal.chain_of(p.chain, e) from loyal.entry p
    where e.id = %1$L and p.member_id = e.member_id and p.seq = e.seq - 1$$, :'last')) f
    where f like '250: lot %: points are 7, legs give 8'), 'a forged last entry disagrees with its lot');
select ok(exists (select from pg_temp.after(format($$
    update loyal.entry set points = 601 where id = %1$L;
    update loyal.entry e set chain = loyal.chain_of(p.chain, e) from loyal.entry p
    where e.id = %1$L and p.member_id = e.member_id and p.seq = e.seq - 1$$, :'l1')) f
    where f like '257: entry % seq 3: chain is not%'), 'a forged early entry breaks the chain behind it');

update loyal.member set available = available + 1;
select results_eq($$select count(*), min(total) from loyal.findings(0, 255, '2014-02-02 00:00+00', 1)$$,
    'values (1::bigint, 2::bigint)', 'at most so many, with their total');
select results_eq($$select bucket::int, member_id, row_name from loyal.findings(2, 250, '2014-02-02 00:00+00', 9)$$,
    $$values (250, 250::bigint, 'member')$$, 'only the buckets asked for');

select is_empty('select * from loyal.receipts_twice(20140101, 20140101)', 'R34: no receipt on two members');
update loyal.entry set receipt = 'the same' where kind = 2;
select ok(exists (select from loyal.receipts_twice(20140101, 20140101) where receipt = 'the same' and members = 2),
    'R34: a receipt that earned for two members is found');
select is_empty('select * from loyal.receipts_twice(20140102, 20140102)', 'R34: by business date');

select * from finish();
rollback;
