-- What merchants see of purchases made elsewhere (R38): who has any right to it, and each of the two locks alone.
begin;
select no_plan();
\ir network.psql

-- --- rights: a walk through the catalogue --------------------------------------------------------------

-- What a role may do with the relations of every schema but the system's and pgTAP's, however it came to that right.
create function pg_temp.rights_of(role text) returns setof text
    language sql
as $$
    select format('%s %s.%s', p, n.nspname, c.relname)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace,
         unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) p
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema', 'public')
          and n.nspname !~ '^pg_(toast|temp)' and c.relowner <> role::regrole
          and (has_table_privilege(role, c.oid, p)
               or p in ('select', 'insert', 'update', 'references') and has_any_column_privilege(role, c.oid, p));
$$;

select bag_eq($$select pg_temp.rights_of('loyal_reader')$$,
    array['select loyal.purchase_elsewhere', 'select loyal.line_elsewhere', 'select loyal.member_granting',
          'select loyal.schema_version', 'insert loyal.disclosure'],
    'R38: the reader selects from three views and inserts what it showed; no table, no partition, no column');
select is_empty($$select pg_temp.rights_of('loyal_insight')$$, 'who mines has no right yet');
select bag_eq($$select pg_temp.rights_of('loyal_network')$$,
    array['select loyal.entry', 'select loyal.basket_line', 'select loyal.consent', 'select loyal.merchant'],
    'R38: the views'' owner selects from what they show, of the parents, where row security is in force');
select bag_eq($$select attname::text from pg_attribute
                where attrelid = 'loyal.merchant'::regclass and attnum > 0
                      and has_column_privilege('loyal_network', attrelid, attnum, 'select')$$,
    array['merchant_id', 'currency'], 'and of merchants the currency');
select is_empty($$select c.relname, p from pg_class c, aclexplode(c.relacl) a, lateral (select a.privilege_type p) x
                  where c.relnamespace = 'loyal'::regnamespace and (c.relispartition or a.grantee = 0)
                        and a.grantee <> c.relowner$$, 'no partition is anybody''s but the owner''s, and nothing is PUBLIC''s');
select bag_eq($$select p.oid::regprocedure::text from pg_proc p
                where p.pronamespace = 'loyal'::regnamespace and has_function_privilege('loyal_reader', p.oid, 'execute')$$,
    array['loyal.asker()', 'loyal.asked_for()', 'loyal.asked_at()', 'loyal.epoch()',
          'loyal.count_members(integer[],text[],integer,integer,bigint,bigint,text,smallint[],integer,integer)'],
    'R38: the functions that the reader executes');
select is_empty($$select role, nspname from pg_namespace, unnest(array['loyal_reader', 'loyal_insight', 'loyal_network']) role
                  where nspname !~ '^pg_temp' and has_schema_privilege(role, oid, 'create')
                        or nspname not in ('loyal', 'public', 'pg_catalog', 'information_schema') and nspname !~ '^pg_(temp|toast)'
                        and has_schema_privilege(role, oid, 'usage')$$, 'they create nothing, in no schema, and enter no other');
select ok(not has_database_privilege(role, current_database(), 'temporary'), role || ' makes no temporary function')
from unnest(array['loyal_reader', 'loyal_insight', 'loyal_network']) role;
select is_empty($$select m.rolname from pg_roles m where m.rolname not in ('loyal_network', 'loyal_owner', 'loyal_maintenance')
                  and not m.rolsuper and pg_has_role(m.oid, 'loyal_network', 'member')$$,
    'nobody but the owner becomes the views'' owner');

-- --- without the settings every query fails -------------------------------------------------------------

-- In a session that never set them: an error of PostgreSQL's, not an empty answer.
create function pg_temp.unset(query text) returns text
    language plpgsql
as $$
begin
    perform pg_temp.bought(1, 1, 2);
    perform set_config('session_authorization', 'loyal_reader', true);
    execute query;
    raise exception using errcode = 'LY000';
exception when others then return sqlstate;
end
$$;
\set views '{purchase_elsewhere,line_elsewhere,member_granting}'
select is(pg_temp.unset('select * from loyal.' || v), '42704', 'R38: who asks for nobody gets an error from ' || v)
from unnest(:'views'::text[]) v;
select is(pg_temp.unset('select * from loyal.count_members(null, null, null, null, null, null, null, null, 20, 20140601)'),
          '42704', 'R39: and no count');

-- --- the rows -------------------------------------------------------------------------------------------

insert into loyal.merchant values (1, 'a', 'A', 'EUR'), (2, 'b', 'B', 'CHF'), (3, 'c', 'C', 'EUR'), (4, 'd', 'D', 'EUR');
-- 1 asks for SERVICE (purpose 1). Each case is a member; entries are numbered by member.
select pg_temp.granted(1, 1, 1);                                       -- everything
select pg_temp.bought(1, 11, 2), pg_temp.bought(1, 12, 3), pg_temp.bought(1, 13, 1) /* at the asker itself */,
       pg_temp.bought(1, 14, 2, 4) /* refunded */, pg_temp.bought(1, 15, 2, 3) /* redeemed */,
       pg_temp.bought(1, 16, 2, is_erased => true);
update loyal.entry set currency = '' where kind = 4;
select pg_temp.bought(2, 21, 2), pg_temp.bought(2, 22, 1);             -- no grant
select pg_temp.granted(3, 3, 1, purpose => 2);                         -- for another purpose
select pg_temp.bought(3, 31, 2);
select pg_temp.granted(4, 4, 4);                                       -- to another recipient
select pg_temp.bought(4, 41, 2);
select pg_temp.granted(5, 5, 1, source => 3);                          -- of another source
select pg_temp.bought(5, 51, 2), pg_temp.bought(5, 52, 3);
select pg_temp.granted(6, 6, 1, ended => '2014-05-31 00:00+00');       -- revoked
select pg_temp.bought(6, 61, 2);
select pg_temp.granted(7, 7, 1, until => '2014-06-01 00:00+00');       -- over at this instant
select pg_temp.bought(7, 71, 2);
select pg_temp.granted(8, 8, 1, until => '2014-06-01 00:00:00.000001+00'); -- and not a microsecond earlier
select pg_temp.bought(8, 81, 2);
select pg_temp.granted(9, 9, 1, fields => 1);                          -- merchant and date
select pg_temp.bought(9, 91, 2);
select pg_temp.granted(10, 10, 1, fields => 2);                        -- amount
select pg_temp.bought(10, 101, 2);
select pg_temp.granted(11, 110, 1, fields => 4);                       -- basket
select pg_temp.bought(11, 111, 2);
select pg_temp.granted(12, 120, 1, source => 2, fields => 1), pg_temp.granted(12, 121, 1, source => 0, fields => 4),
       pg_temp.granted(12, 122, 1, source => 0, purpose => 2, fields => 2),
       pg_temp.granted(12, 123, 1, source => 2, fields => 2, ended => '2014-03-01 00:00+00'); -- several: their union
select pg_temp.bought(12, 131, 2), pg_temp.bought(12, 132, 3);
-- Merchant and date of everything; the basket no more, no longer, or not of this source.
select pg_temp.granted(m, m * 10, 1, fields => 1) from generate_series(14, 16) m;
select pg_temp.granted(14, 144, 1, fields => 4, ended => '2014-05-31 00:00+00'),
       pg_temp.granted(15, 154, 1, source => 2, fields => 4, until => '2014-06-01 00:00+00'),
       pg_temp.granted(16, 164, 1, source => 3, fields => 4);
select pg_temp.bought(m, m * 10 + 1, 2) from generate_series(14, 16) m;
select pg_temp.bought(257, 211, 2);                                    -- in the first one's bucket, no grant
select pg_temp.granted(13, 13, 1);                                     -- everything, and bought nothing

-- Both locks, and the first one alone: row security off, nothing but the views in the way.
create function pg_temp.first_lock(name text) returns setof text
    language plpgsql
as $$
begin
    return next is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere'),
        '011 012 014 052 081 091 101 111 131 132 141 151 161',
        name || ': R38: purchases under a grant in force, of its recipient, source and purpose, elsewhere, not erased');
    return next is(pg_temp.seen('select right(entry_id::text, 3) from loyal.line_elsewhere'),
        '011 012 014 052 081 111 131 132', name || ': R38: basket lines where the basket was granted');
    return next is(pg_temp.seen('select member_id || ''='' || is_met from loyal.member_granting'),
        '10=false 11=false 12=false 13=false 14=false 15=false 16=false 1=true 5=false 8=false 9=false',
        name || ': R38: members with a grant in force, each once, and whether he bought here');
    return next is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere', purpose => '2'), '031 131 132',
        name || ': R38: another purpose, other grants');
    return next is(pg_temp.seen('select member_id from loyal.member_granting', purpose => '2'), '12 3',
        name || ': R38: and other members');
    return next is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere', purpose => '3'), '',
        name || ': R38: nobody granted the third');
    return next is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere', at => '2015-01-01 00:00+00'), '',
        name || ': R38: at the end of the grants there is nothing');
    return next is(pg_temp.seen('select member_id from loyal.member_granting', at => '2015-01-01 00:00+00'), '',
        name || ': R38: and nobody');
    -- The asker is what the setting says. Whoever has the reader's login can ask for any merchant: it is loyald, which
    -- sets it from the certificate of the terminal, that is trusted with it.
    return next is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere', '4'), '041',
        name || ': R38: another recipient sees what was granted to it, and no more');
    return next is(pg_temp.seen('select member_id from loyal.member_granting', '4'), '4', name || ': R38: its own members');
    return next is(pg_temp.seen('select * from loyal.purchase_elsewhere', '5'), '', name || ': a merchant without grants');
    -- What is masked.
    return next is(pg_temp.seen('select right(id::text, 3), fields, merchant_id, business_date, channel, amount_minor,
                                        currency, points from loyal.purchase_elsewhere where member_id = 9'),
        '091,1,2,20140201,1,,,', name || ': R38: merchant and date, no amount');
    return next is(pg_temp.seen('select right(id::text, 3), fields, merchant_id, business_date, channel, amount_minor,
                                        currency, points from loyal.purchase_elsewhere where member_id = 10'),
        '101,2,,,,199,EUR,3', name || ': R38: the amount, neither merchant nor date');
    return next is(pg_temp.seen('select right(id::text, 3), fields, merchant_id, business_date, channel, amount_minor,
                                        currency, points from loyal.purchase_elsewhere where member_id = 11'),
        '111,4,,,,,,', name || ': R38: nothing but the basket');
    return next is(pg_temp.seen('select right(id::text, 3), kind, currency, points from loyal.purchase_elsewhere
                                 where member_id = 1'), '011,2,EUR,3 012,2,EUR,3 014,4,CHF,3',
        name || ': a refund is in its merchant''s currency');
    return next is(pg_temp.seen('select right(entry_id::text, 3), number, product, category, quantity_milli, amount_minor
                                 from loyal.line_elsewhere where member_id in (1, 11)'),
        '011,1,"product 11",food,1000,199 012,1,"product 12",food,1000,199 014,1,"product 14",food,1000,199'
        ' 111,1,"product 111",food,1000,', name || ': R38: basket lines, with their amounts where amounts were granted');
    return next is(pg_temp.seen('select right(id::text, 3), fields, merchant_id, amount_minor from loyal.purchase_elsewhere
                                 where member_id = 12'), '131,5,2, 132,4,,',
        name || ': R38: the fields of several grants, each for its source, none of what ended or is for another purpose');
    return next is(pg_temp.seen('select * from loyal.purchase_elsewhere where merchant_id is null and business_date > 0'), '',
        name || ': R38: a condition does not see what is masked');
end
$$;

-- What a function in the condition gets to see, be it ever so cheap: it writes down each row that it is shown. The reader
-- can make none; a superuser made this one.
create function public.peek(id uuid) returns boolean
    language plpgsql cost 0.000001
as $$
begin
    perform set_config('test.peeked', concat_ws(' ', nullif(current_setting('test.peeked', true), ''), right(id::text, 3)), true);
    return true;
end
$$;
create function pg_temp.peeked(view text, key text) returns text
    language sql
    return (select coalesce(string_agg(distinct n, ' ' order by n), '')
            from regexp_split_to_table(pg_temp.seen(format(
                'select current_setting(''test.peeked'', true), left(n::text, 0)
                 from (select count(*) as n from loyal.%s where public.peek(%s)) x',
                view, key)), '[", ]+') n
            where n <> '');
create function pg_temp.peeks(name text, purchases text, lines text) returns setof text
    language plpgsql
as $$
begin
    return next is(pg_temp.peeked('purchase_elsewhere', 'id'), purchases,
        name || ': R38: a function in the condition is not called with a purchase that is hidden');
    return next is(pg_temp.peeked('line_elsewhere', 'entry_id'), lines,
        name || ': R38: nor with a basket line');
end
$$;

\set all_shown '''011 012 014 052 081 091 101 111 131 132 141 151 161'''
\set all_lines '''011 012 014 052 081 111 131 132'''

select pg_temp.first_lock('both locks');
select pg_temp.peeks('both locks', :all_shown, :all_lines);

-- Each setting is missed, by each view.
select is(pg_temp.seen('select * from loyal.' || v, case s when 1 then '' else '1' end, case s when 2 then '' else '1' end,
                       case s when 3 then '' else '2014-06-01 00:00+00' end),
          case s when 3 then '22007' else '22P02' end, format('R38: %s without setting %s', v, s))
from unnest(:'views'::text[]) v, generate_series(1, 3) s;
select is(pg_temp.seen('select * from loyal.count_members(null, null, null, null, null, null, null, null, 20, 20140601)',
                       case s when 1 then '' else '1' end, case s when 2 then '' else '1' end,
                       case s when 3 then '' else '2014-06-01 00:00+00' end),
          case s when 3 then '22007' else '22P02' end, 'R39: no count without setting ' || s)
from generate_series(1, 3) s;
select is(pg_temp.unset('set local row_security = off; select set_config(''loyal.asker'', ''1'', true),
                             set_config(''loyal.purpose'', ''1'', true), set_config(''loyal.at'', ''2014-06-01 00:00+00'', true);
                         select * from loyal.' || v), '42501', 'R38: who switches row security off gets an error from ' || v)
from unnest(:'views'::text[]) v;
-- An error's text is not a way around it: it speaks of a row that is shown, if of any.
create function pg_temp.complaint(condition text) returns text
    language plpgsql
as $$
begin
    perform set_config('loyal.asker', '1', true), set_config('loyal.purpose', '1', true),
            set_config('loyal.at', '2014-06-01 00:00+00', true), set_config('session_authorization', 'loyal_reader', true);
    execute 'select * from loyal.line_elsewhere where ' || condition;
    raise exception using errcode = 'LY000', message = 'no error';
exception when others then return sqlerrm;
end
$$;
select is(pg_temp.complaint('member_id = 9 and product::int > 0'), 'no error',
    'R38: a product that is hidden does not come out of a failing cast');
select is(pg_temp.complaint('member_id = 11 and product::int > 0'),
    'invalid input syntax for type integer: "product 111"', 'as one that is shown does');

savepoint locks;
alter table loyal.entry disable row level security;
alter table loyal.basket_line disable row level security;
alter table loyal.consent disable row level security;
select pg_temp.first_lock('without row security');
select pg_temp.peeks('without row security', :all_shown, :all_lines);
-- That the peeking is seen if it happens.
alter view loyal.purchase_elsewhere reset (security_barrier);
select ok(pg_temp.peeked('purchase_elsewhere', 'id') like '%021%', 'without both, a function would be called with everything');
rollback to locks;

-- The second lock alone: views that show all they can, of all columns, and do not ask for a grant. Row security hides rows,
-- not fields.
create or replace view loyal.purchase_elsewhere as
select e.bucket, e.member_id, e.id, e.kind, 7::smallint as fields, e.merchant_id, e.business_date, e.channel,
       e.amount_minor, e.currency, e.points, e.seq
from loyal.entry e;
create or replace view loyal.line_elsewhere as
select l.bucket, l.member_id, l.entry_id, l.number, l.product, l.category, l.quantity_milli, l.amount_minor
from loyal.basket_line l;
create or replace view loyal.member_granting as
select c.place, c.bucket, c.member_id, c.ended_at is null as is_met
from loyal.consent c;
select results_eq($$select distinct relowner::regrole::text from pg_class
                    where oid = any (array['loyal.purchase_elsewhere', 'loyal.line_elsewhere',
                                           'loyal.member_granting']::regclass[])$$, array['loyal_network'],
    'the views still belong to their owner');
\set shown_rows '''011 012 013 014 015 016 022 052 081 091 101 111 131 132 141 151 161'''
\set line_rows '''011 012 013 014 015 016 052 081 111 131 132'''
select is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere'), :shown_rows,
    'row security alone: R38: no purchase without a grant in force, but the asker''s own');
select is(pg_temp.seen('select right(entry_id::text, 3) from loyal.line_elsewhere'), :line_rows,
    'row security alone: R38: no basket line without a grant of the basket');
select is(pg_temp.seen('select distinct member_id from loyal.member_granting'), '1 10 11 12 13 14 15 16 3 5 6 7 8 9',
    'row security alone: R38: no grant of another recipient');
select is(pg_temp.seen('select member_id from loyal.member_granting', '4'), '4',
    'row security alone: R38: whose grants those are');
select is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere', purpose => '2'), '013 022 031 131 132',
    'row security alone: R38: another purpose, other grants');
select is(pg_temp.seen('select right(entry_id::text, 3) from loyal.line_elsewhere', purpose => '2'), '031',
    'row security alone: R38: and other baskets');
select is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere', '4'), '041',
    'row security alone: R38: another asker, other grants');
select is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere', at => '2015-01-01 00:00+00'), '013 022',
    'row security alone: R38: at the end of the grants nothing of others');
select pg_temp.peeks('row security alone', :shown_rows, :line_rows);
select is(pg_temp.seen('select * from loyal.' || v, case s when 1 then '' else '1' end, case s when 2 then '' else '1' end,
                       case s when 3 then '' else '2014-06-01 00:00+00' end),
          case s when 3 then '22007' else '22P02' end, format('row security alone: R38: %s without setting %s', v, s))
from unnest(:'views'::text[]) v, generate_series(1, 3) s
where v <> 'member_granting' or s = 1;
rollback to locks;

-- R38: revocation acts on the next query, and so does a grant.
update loyal.consent set ended_at = '2014-05-01 00:00+00', end_kind = 1 where member_id = 1;
select is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere where member_id = 1'), '',
    'R38: what was revoked a moment ago is not shown');
select pg_temp.granted(1, 2, 1, source => 3);
select is(pg_temp.seen('select right(id::text, 3) from loyal.purchase_elsewhere where member_id = 1'), '012',
    'R38: what was granted a moment ago is');
rollback to locks;

-- --- what was shown (R40) --------------------------------------------------------------------------------

insert into loyal.disclosure
values (1, 1, pg_temp.id(900), '2014-06-01 00:00+00', 1, 7, 0, 40, 1, '', array[pg_temp.id(11), pg_temp.id(14)], '{7,5}');
select results_eq($$select member_id, merchant_id, terminal_id, right(entry_id::text, 3), fields from loyal.disclosed_entry$$,
    $$values (1::bigint, 1, 7, '011', 7::smallint), (1, 1, 7, '014', 5::smallint)$$, 'R40: each purchase shown, with its fields');
select throws_ok($$insert into loyal.disclosure select * from loyal.disclosure$$, '23505', null,
    'R40: a member once on a page');

select * from finish();
rollback;
