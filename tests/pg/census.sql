-- Counts of members (R39): who is told, how exactly, what is kept, what is charged.
begin;
select no_plan();
\ir network.psql

insert into loyal.merchant values (1, 'a', 'A', 'EUR'), (2, 'b', 'B', 'EUR'), (3, 'c', 'C', 'EUR'), (4, 'd', 'D', 'EUR');

-- What the reader is told; what the question changes stays. 'with/without k', '+' when it was released before, and how
-- many questions are left; 'none' when the day's are used up. Each test asks on a day of its own.
create function pg_temp.counted(categories text[] default null, merchants int[] default null, date_first int default null,
                                date_last int default null, amount_min bigint default null, amount_max bigint default null,
                                currency text default 'EUR', channels smallint[] default null, k int default 20,
                                asker int default 1, purpose int default 1,
                                at timestamptz default '2014-06-01 00:00+00', today int default 20140601)
    returns text
    language plpgsql
as $$
declare
    told text;
begin
    perform set_config('loyal.asker', asker::text, true), set_config('loyal.purpose', purpose::text, true),
            set_config('loyal.at', at::text, true), set_config('role', 'loyal_reader', true);
    execute 'select format(''%s/%s k%s%s %s left'', coalesce(c.with_grant::text, ''-''), coalesce(c.without_grant::text, ''-''),
                           c.k, case when c.released_before then ''+'' else '''' end, c.questions_left)
             from loyal.count_members($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) c'
    into told
    using merchants, categories, date_first, date_last, amount_min, amount_max, currency, channels, k, today;
    perform set_config('role', 'none', true);
    return coalesce(told, 'none');
end
$$;
create function pg_temp.told(categories text[] default null, merchants int[] default null, date_first int default null,
                             date_last int default null, amount_min bigint default null, amount_max bigint default null,
                             currency text default 'EUR', channels smallint[] default null, k int default 20,
                             asker int default 1, purpose int default 1, at timestamptz default '2014-06-01 00:00+00')
    returns text
    language sql
    return split_part(pg_temp.counted(categories, merchants, date_first, date_last, amount_min, amount_max, currency,
                                      channels, k, asker, purpose, at, 20140602), ' ', 1);
update loyal.privacy_rule set questions_a_day = 1000;

-- A group of so many members with a category of its own: they bought at merchant 2, without a grant and with one.
create function pg_temp.grouped(name text, first int, members int, has_grant boolean) returns void
    language sql
as $$
    select pg_temp.bought(m, m, 2, category => name) from generate_series(first, first + members - 1) m;
    select pg_temp.granted(m, m, 1) from generate_series(first, first + members - 1) m where has_grant;
$$;
select pg_temp.grouped('of ' || n, 1000 * n, n, false), pg_temp.grouped('of ' || n, 1000 * n + 500, n, true)
from unnest(array[1, 19, 20, 22, 23, 101]) n;

-- --- fewer than k ---------------------------------------------------------------------------------------
select is(pg_temp.told(array['of ' || n]), told, format('R39: a group of %s', n))
from (values (0, '-/-'), (1, '-/-'), (19, '-/-'), (20, '20/20'), (22, '20/20'), (23, '25/25'), (101, '100/100')) x (n, told);
select is(pg_temp.counted('{of 0}', today => 20140603, at => '2014-06-20 00:00+00'), '-/- k20 999 left', 'R39: of nobody');
select is(pg_temp.counted('{of 19}', today => 20140604, at => '2014-06-20 00:00+00'), '-/- k20 999 left',
    'R39: the same answer, of 19');
select results_eq($$select with_grant, without_grant from loyal.release where counted_at = '2014-06-20 00:00+00'$$,
    'values (null::bigint, null::bigint), (null, null)', 'R39: nor is more of them kept');
select is(pg_temp.told(array['of ' || n], k => 5), told, format('R39: who asks for less than the floor gets the floor, of %s', n))
from (values (19, '-/-'), (20, '20/20')) x (n, told);
select is(pg_temp.counted('{of 20}', k => k, today => 20140605), '20/20 k20+ 1000 left', format('R39: k %s is 20', k))
from unnest(array[null, 0, -1, 5, 19, 20]) k;
select is(pg_temp.told(array['of ' || n], k => 25), told, format('R39: a larger k counts, of %s', n))
from (values (20, '-/-'), (22, '-/-'), (23, '25/25'), (101, '100/100')) x (n, told);
select is((select string_agg(distinct pg_temp.told(array['of ' || n], k => k), ' ') from unnest(ks) k), told,
    format('R39: one k after the other does not find what was rounded, of %s', n))
from (values (20, array[20], '20/20'), (22, array[20], '20/20'), (20, array[21, 22, 23, 24, 25], '-/-'),
             (22, array[21, 22, 23, 24, 25], '-/-'), (23, array[20, 21, 22, 23, 24, 25], '25/25'),
             (23, array[26, 27], '-/-'), (101, array[100], '100/100'), (101, array[101, 102], '-/-')) x (n, ks, told);
select is(pg_temp.counted('{of 101}', k => 90, today => 20140606), '100/100 k90+ 1000 left',
    'R39: another k is the same question, with the same count');

-- --- who is counted -------------------------------------------------------------------------------------
select pg_temp.grouped('met', 200000, 25, false), pg_temp.grouped('met', 200500, 25, true);
select pg_temp.bought(m + b, m + b + 500000, 1) from generate_series(0, 5) m, unnest(array[200000, 200500]) b;
select is(pg_temp.told('{met}'), '-/-', 'R39: members that bought at the asker are not counted: 25, of whom 6 did');
select is(pg_temp.told('{met}', asker => 3), '-/50', 'R39: for another merchant, who has no grants, they are all strangers');
select is(pg_temp.told('{met}', asker => 2), '-/-', 'R39: for the one they bought at they are none');
select is(pg_temp.told('{met}', purpose => 2), '-/40', 'R39: grants for one purpose are none for another: 38');

select pg_temp.grouped('erased', 210000, 20, false), pg_temp.grouped('erased', 210500, 20, true);
update loyal.entry set salt = null where member_id in (210000, 210500);
select is(pg_temp.told('{erased}'), '-/-', 'R29: what was erased is not counted: 20 less 1');
select pg_temp.grouped('revoked', 220000, 20, true);
update loyal.consent set ended_at = '2014-05-01 00:00+00', end_kind = 1 where member_id = 220000;
select is(pg_temp.told('{revoked}'), '-/-', 'R38: who revoked counts no more with those who granted');
update loyal.consent set until_at = '2014-06-01 00:00+00' where member_id between 220000 and 220020;
select is(pg_temp.told('{revoked}', merchants => '{2,3}'), '-/20', 'R38: when all grants are over, all are without one');

select pg_temp.grouped('others', 230000, 20, false);
select pg_temp.granted(m, m, 4) from generate_series(230000, 230019) m;
select is(pg_temp.told('{others}'), '-/20', 'R39: a grant to another recipient is none');
select pg_temp.grouped('source', 240000, 40, false);
select pg_temp.granted(m, m, 1, source => 3) from generate_series(240000, 240019) m;
select is(pg_temp.told('{source}'), '-/20',
    'R38: who granted another source is in neither count: not seen there, and no stranger');
select pg_temp.grouped('masked', 250000, 20, false);
select pg_temp.granted(m, m, 1, fields => 3) from generate_series(250000, 250019) m;
select is(pg_temp.told('{masked}'), '-/-', 'R38: no basket granted, no category matches');
select is(pg_temp.told(null, amount_min => 777), '-/-', 'R39: an amount that nobody paid');
select pg_temp.bought(m, m + 500000, 3, amount => 777, day => 20140301, channel => 2) from generate_series(260000, 260019) m;
select pg_temp.bought(m, m + 500000, 3, amount => 777, day => 20140301, channel => 2), pg_temp.granted(m, m, 1, fields => 2)
from generate_series(260500, 260519) m;
select is(pg_temp.told(merchants => '{3}'), '-/20', 'R38: no merchant granted, no merchant matches');
select is(pg_temp.told(channels => '{2}'), '-/20', 'R38: nor a channel');
select is(pg_temp.told(date_first => 20140301), '-/20', 'R38: nor a date');
select is(pg_temp.told(amount_max => 777, amount_min => 776), '20/20', 'R39: but the amount that was');
select is(pg_temp.told(amount_max => 777, amount_min => 776, currency => 'CHF'), '-/-',
    'R39: amounts are compared in one currency, and the same question in another is another');
select is(pg_temp.counted('{of 20}', currency => 'CHF', today => 20140607), '20/20 k20+ 1000 left',
    'R39: without an amount the currency makes no difference');

-- --- filters --------------------------------------------------------------------------------------------
select is(pg_temp.told(merchants => '{3}', amount_min => 777), '-/20', 'R39: all of a question holds of one purchase');
select is(pg_temp.told(merchants => '{4}'), '-/-', 'R39: a merchant where nobody bought');
select is(pg_temp.told('{of 20,of 23}'), '45/45', 'R39: any of several categories');
select is(pg_temp.told('{of 20}', merchants => '{3}'), '-/-', 'R39: a category, not at that merchant');
select is(pg_temp.told('{of 20}', merchants => '{1,2}'), '20/20', 'R39: one of several merchants, the asker''s own is not looked at');
select is(pg_temp.told('{of 20}', date_first => 20140201, date_last => 20140201), '20/20', 'R39: dates, both included');
select is(pg_temp.told('{of 20}', date_first => 20140202), '-/-', 'R39: later');
select is(pg_temp.told('{of 20}', date_last => 20140131), '-/-', 'R39: earlier');
select is(pg_temp.told('{of 20}', amount_min => 199, amount_max => 199), '20/20', 'R39: amounts, both included');
select is(pg_temp.told('{of 20}', amount_min => 200), '-/-', 'R39: more');
select is(pg_temp.told('{of 20}', amount_max => 198), '-/-', 'R39: less');
select is(pg_temp.told('{of 20}', channels => '{1,3}'), '20/20', 'R39: one of several channels');
select is(pg_temp.told('{of 20}', channels => '{2}'), '-/-', 'R39: another channel');
update loyal.entry set kind = 4 where member_id in (20000, 20500);
select is(pg_temp.told('{of 20}', channels => '{1,4}'), '-/-', 'R39: a refund is no purchase');
update loyal.entry set kind = 2 where member_id in (20000, 20500);
select is(split_part(pg_temp.told(), '/', 1), ((count(distinct member_id) + 2) / 5 * 5)::text,
    'R39: without a filter, everybody with a grant whom the asker never met')
from loyal.consent c
where recipient = 1 and ended_at is null and until_at > '2014-06-01 00:00+00'
      and not exists (select from loyal.entry e where e.member_id = c.member_id and e.merchant_id = 1);

-- --- the same question gets the same answer ---------------------------------------------------------------
select is(pg_temp.counted('{of 19,of 1}', '{2,3}', channels => '{1,2}', today => 20140701, at => '2014-07-01 00:00+00'),
    '20/20 k20 999 left', 'R39: a question is charged');
select is(pg_temp.counted('{of 1,of 19,of 1}', '{3,2,3}', channels => '{2,1,1}', today => 20140701,
                          at => '2014-07-01 00:00:01+00'),
    '20/20 k20+ 999 left', 'R39: asked again, in another order and with duplicates, it is not');
select is(pg_temp.counted('{of 19}', today => 20140701, at => '2014-07-01 00:00+00'), '-/- k20 998 left', 'another one is');
select pg_temp.bought(19600, 19600, 2, category => 'of 19'), pg_temp.granted(19600, 19600, 1),
       pg_temp.bought(19400, 19400, 2, category => 'of 19');
select is(pg_temp.counted('{of 19}', today => 20140701, at => '2014-07-01 00:00:01+00'), '-/- k20+ 998 left',
    'R39: who came since is not told');
select is(pg_temp.counted('{of 19}', today => 20140707, at => '2014-07-07 23:59:59.999999+00'), '-/- k20+ 1000 left',
    'R39: for seven days');
select is(pg_temp.counted('{of 19}', today => 20140708, at => '2014-07-08 00:00+00'), '20/20 k20 999 left',
    'R39: then it is counted anew, and charged');
select is(pg_temp.counted('{of 19}', today => 20140708, at => '2014-07-09 00:00+00'), '20/20 k20+ 999 left',
    'R39: and the new count is kept');
select ok(pg_temp.counted('{}', '{}', channels => '{}', today => 20140710) like '%+ 1000 left',
    'an empty list is no filter, as none');
select ok(pg_temp.counted('{of 20}', asker => 4, today => 20140710) like '-/40 k20 999 left',
    'R39: another merchant''s release is not told');
select is(pg_temp.counted('{of 20}', purpose => 3, today => 20140710), '-/40 k20 999 left', 'nor that for another purpose');
select results_eq($$select count(*), count(distinct question) from loyal.release where merchant_id = 1
                    and counted_at in ('2014-07-01 00:00+00', '2014-07-08 00:00+00')$$, 'values (3::bigint, 2::bigint)',
    'R39: each count that was released stays on record');
select is((select min(octet_length(question)) from loyal.release), 32, 'by a hash of its question');

-- --- the budget -----------------------------------------------------------------------------------------
insert into loyal.privacy_rule values (2, '2014-08-01 00:00+00', 20, 3, 7);
select is(pg_temp.counted(amount_min => n, today => 20140801, at => '2014-08-01 00:00+00'), '-/- k20 ' || 3 - (n - 9000) || ' left',
    'R39: question ' || n - 9000)
from unnest(array[9001, 9002, 9003]) n;
select is(pg_temp.counted(amount_min => 9004, today => 20140801, at => '2014-08-01 00:00:01+00'), 'none',
    'R39: the day''s questions are used up');
select is(pg_temp.counted(amount_min => 9004, today => 20140801, at => '2014-08-01 00:00:02+00'), 'none',
    'R39: what was not told was not kept');
select is(pg_temp.counted(amount_min => 9002, today => 20140801, at => '2014-08-01 00:00:01+00'), '-/- k20+ 0 left',
    'R39: what was told before is told again');
select is(pg_temp.counted(amount_min => 9004, asker => 4, today => 20140801, at => '2014-08-01 00:00+00'), '-/- k20 2 left',
    'R39: each merchant has its own');
select is(pg_temp.counted(amount_min => 9004, today => 20140802, at => '2014-08-02 00:00+00'), '-/- k20 2 left',
    'R39: and each day');
select results_eq($$select merchant_id, day, used from loyal.question_budget where day >= 20140801 order by 2, 1$$,
    'values (1, 20140801, 3), (4, 20140801, 1), (1, 20140802, 1)', 'R39: charged is what was counted');

-- --- the rule in force ----------------------------------------------------------------------------------
insert into loyal.privacy_rule values (3, '2014-09-01 00:00+00', 30, 0, 7), (4, '2014-10-01 00:00+00', 30, 9, 2),
    (5, '2014-10-01 00:00+00', 23, 9, 1);
select is(pg_temp.counted('{of 23}', today => 20140831, at => '2014-08-31 23:59:59.999999+00'), '25/25 k20 2 left',
    'R39: the rule before, up to the last instant');
select is(pg_temp.counted('{of 23}', today => 20140901, at => '2014-09-01 00:00+00'), 'none',
    'R39: the new one from its own on: not even what was told under the old one');
select is(pg_temp.counted('{of 22}', today => 20141001, at => '2014-10-01 00:00+00'), '-/- k23 8 left',
    'R39: of two from the same instant the later version');
select is(pg_temp.counted('{of 23}', today => 20141001, at => '2014-10-01 00:00+00'), '25/25 k23 7 left', 'R39: with its k');
select is(pg_temp.counted('{of 23}', today => 20141001, at => '2014-10-02 00:00+00'), '25/25 k23 6 left',
    'R39: and its days of release');
select results_eq($$select rule_version, k from loyal.release where counted_at >= '2014-08-31 00:00+00' order by counted_at, k$$,
    'values (2, 20), (5, 23), (5, 23), (5, 23)', 'R39: a release says under which');

select * from finish();
rollback;
