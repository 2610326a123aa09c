-- The schema as deployed: what sits in it, whom it belongs to, what its constraints refuse.
begin;
select plan(43);

select schema_owner_is('loyal', 'loyal_owner');
select bag_eq($$select relname::text from pg_class where relnamespace = 'loyal'::regnamespace
                and relkind in ('r', 'p') and not relispartition$$,
    array['reference_epoch', 'merchant', 'store', 'terminal', 'operator', 'rule', 'schema_version', 'member',
          'identifier', 'lot', 'debt', 'entry', 'basket_line', 'refusal', 'lease', 'standing_change',
          'member_standing_change', 'consent', 'disclosure', 'privacy_rule', 'question_budget', 'release', 'erasure',
          'certificate_change'], 'the tables');
select bag_eq($$select relname || ' of ' || relowner::regrole from pg_class
                where relnamespace = 'loyal'::regnamespace and relkind = 'v'$$,
    array['disclosed_entry of loyal_owner', 'entry_leg of loyal_owner', 'standing of loyal_owner', 'terminal_certificate of loyal_owner',
          'line_elsewhere of loyal_network', 'member_granting of loyal_network', 'purchase_elsewhere of loyal_network'],
    'the views: what network queries see belongs to a role that row security holds');
select is_empty($$select relname from pg_class where relnamespace = 'loyal'::regnamespace
                  and relkind <> 'v' and relowner <> 'loyal_owner'::regrole$$, 'all tables and indexes belong to the owner');
select is_empty($$select proname from pg_proc where pronamespace = 'loyal'::regnamespace
                  and proowner <> 'loyal_owner'::regrole$$, 'all functions belong to the owner');
select results_eq('select version from loyal.schema_version', array['certificates'],
    'the version is the name of the last change');
select results_eq('select version from loyal.schema_version',
    'select change from sqitch.changes order by committed_at desc limit 1', 'as the registry has it');

-- Nothing on the posting path runs by itself.
select is_empty($$select tgname from pg_trigger t join pg_class c on c.oid = tgrelid
                  where relnamespace = 'loyal'::regnamespace and not tgisinternal$$, 'no triggers');
select is_empty($$select relname from pg_class where relnamespace = 'loyal'::regnamespace and relkind = 'S'$$,
    'no sequences');
select is_empty($$select conname from pg_constraint where contype = 'f' and conrelid in
                  (select attrelid from pg_attribute where attname = 'member_id')$$, 'no foreign keys on member-keyed tables');
select is_empty($$select proname from pg_proc where pronamespace = 'loyal'::regnamespace
                  and pg_get_functiondef(oid) ~* '\m(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\M *\(|current_(date|time|timestamp)|localtime'$$,
    'no function reads a clock');
select is_empty($$select pg_get_expr(adbin, adrelid) from pg_attrdef d join pg_class c on c.oid = adrelid
                  where relnamespace = 'loyal'::regnamespace
                  and pg_get_expr(adbin, adrelid) ~* 'now|clock|current_(date|time)'$$, 'no default reads a clock');
select is_empty($$select c.relname from pg_index i join pg_class c on c.oid = i.indrelid
                  where c.relname in ('member', 'lot', 'debt') and relnamespace = 'loyal'::regnamespace
                  and not i.indisprimary$$, 'what changes with each posting has no index beside its key');

-- Every member-keyed table starts its key with bucket and member_id.
select is_empty($$select t.relname from pg_class t join pg_attribute m on m.attrelid = t.oid and m.attname = 'member_id'
                  where t.relnamespace = 'loyal'::regnamespace and t.relkind in ('r', 'p') and t.relname <> 'identifier'
                  and (select array_agg(a.attname::text order by k.n)
                         from pg_index i, unnest(i.indkey) with ordinality k (attnum, n), pg_attribute a
                         where i.indrelid = t.oid and i.indisprimary
                               and a.attrelid = i.indrelid and a.attnum = k.attnum and k.n <= 2)
                        is distinct from array['bucket', 'member_id']$$, 'keys start with bucket and member_id');

prepare member_of (int, bigint, bigint) as
    insert into loyal.member values ($1, 1, $2, $3, 0, '', '2014-01-01 00:00+00', 'infinity');
select throws_ok('execute member_of (256, 0, 0)', '23514', null, 'no bucket 256');
select throws_ok('execute member_of (-1, 0, 0)', '23514', null, 'no bucket -1');
select throws_ok('execute member_of (1, -1, 0)', '23514', null, 'R31: no negative balance');
select throws_ok('execute member_of (1, 0, -1)', '23514', null, 'R31: no negative debt');
select lives_ok('execute member_of (1, 0, 0)', 'a member');
select throws_ok('execute member_of (1, 0, 0)', '23505', null, 'a member only once');
select throws_ok($$insert into loyal.lot values (1, 1, '01434b19-8400-7000-8000-000000000000', 0, 1, 0,
                   '2014-01-01 00:00+00', 'infinity')$$, '23514', null, 'R31: no empty lot');
select throws_ok('insert into loyal.debt values (1, 1, 1, 0)', '23514', null, 'no empty debt');
select throws_ok($$insert into loyal.identifier values ('\x00', 1, 1, 1)$$, '23514', null,
    'an identifier is 32 bytes of hash');
select lives_ok($$insert into loyal.merchant values (1, 'a', 'A', 'EUR')$$, 'a merchant');
select throws_ok($$insert into loyal.merchant values (2, 'a', 'B', 'EUR')$$, '23505', null, 'a code only once');
select throws_ok($$insert into loyal.merchant values (2, 'b', 'B', 'eur')$$, '23514', null, 'ISO 4217');
select throws_ok($$insert into loyal.store values (1, 9, 's', '')$$, '23503', null, 'a store of a merchant');
select throws_ok($$insert into loyal.terminal values (1, 1, 't', null, 1, '\x00')$$, '23514', null,
    'a certificate''s SHA-256 has 32 bytes');
select throws_ok($$insert into loyal.rule values (1, 1, '2014-01-01', 1, 0, 12)$$, '23514', null,
    'a rate divides by something');
select throws_ok('insert into loyal.reference_epoch values (true, 2)', '23505', null, 'one epoch');
select throws_ok('insert into loyal.reference_epoch values (false, 2)', '23514', null, 'only one epoch');
select throws_ok($$insert into loyal.schema_version values (true, 'other')$$, '23505', null, 'one version');


-- --- grants (R38) -----------------------------------------------------------------------------------
prepare grant_of (int, int, int, timestamptz, int) as
    insert into loyal.consent (bucket, member_id, consent_id, recipient, source, purpose, fields, granted_at, until_at,
                               text_version, channel, terminal_id, operator_id, body_hash, place, ended_at, end_kind)
    values (1, 1, gen_random_uuid(), 1, $1, $2, $3, '2014-01-01 00:00+00', '2015-01-01 00:00+00', 'v1', 1, 1, 0, '', 1, $4, $5);
select throws_ok('execute grant_of (0, 0, 1, null, null)', '23514', null, 'R38: a grant has one of three purposes');
select throws_ok('execute grant_of (0, 1, 0, null, null)', '23514', null, 'R38: it names some fields');
select throws_ok('execute grant_of (0, 1, 8, null, null)', '23514', null, 'R38: which exist');
select throws_ok($$execute grant_of (0, 1, 1, '2014-02-01 00:00+00', null)$$, '23514', null, 'no end without its reason');
select throws_ok('execute grant_of (0, 1, 1, null, 1)', '23514', null, 'no reason without an end');
select lives_ok('execute grant_of (0, 1, 1, null, null)', 'a grant');
select throws_ok('execute grant_of (0, 1, 7, null, null)', '23505', null,
    'R38: one of a recipient, source and purpose is in force');
select lives_ok($$execute grant_of (0, 1, 7, '2014-02-01 00:00+00', 1)$$, 'beside those that ended');
select lives_ok('execute grant_of (2, 1, 1, null, null)', 'and those of another source');
select lives_ok('execute grant_of (0, 2, 1, null, null)', 'and of another purpose');
select throws_ok($$insert into loyal.privacy_rule values (2, '2014-01-01 00:00+00', 4, 20, 7)$$, '23514', null,
    'R39: no group is smaller than five');

select * from finish();
rollback;
