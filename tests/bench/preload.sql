-- The books that the bench starts with: members with one card each, an enrolment, and purchases of a point per 100 at
-- the bench's merchants over the weeks before, chained and sound. One set-based pass for each entry of a member.
-- Also what members granted.
\set ON_ERROR_STOP on
begin;

-- p_first, p_last: numbers of the members, so that several sessions share the work; p_entries: purchases of each, and
-- of every hundredth, who buys often, p_entries_often; p_merchant: the first merchant's id, who has the store and
-- terminal of the same number; p_merchants of them.
create function bench.preload(p_first bigint, p_last bigint, p_entries integer, p_entries_often integer,
                              p_merchant integer, p_merchants integer, p_seed text, p_now timestamptz) returns bigint
    language plpgsql set synchronous_commit = off set work_mem = '256MB' as $$
declare
    made bigint := 0;
    touched bigint;
    began constant timestamptz := date_trunc('day', p_now - interval '38 days');
begin
    create temp table state on commit drop as
    select n, case n % 100 when 0 then p_entries_often else p_entries end as purchases,
           (member_id & 255)::smallint as bucket, member_id, 0::bigint as balance,
           sha256('')::bytea as chain, 'infinity'::timestamptz as next_change_at
    from (select n, ('x' || encode(substring(sha256(convert_to(p_seed || ' member ' || n, 'UTF8')) for 8), 'hex')
                    )::bit(64)::bigint & 9223372036854775807 as member_id
          from generate_series(p_first, p_last) n offset 0) numbered
    order by 3, 4;
    update state set chain = decode(repeat('00', 32), 'hex');

    for level in 0 .. greatest(p_entries, p_entries_often) loop
        create temp table step on commit drop as
        select s5.*, sha256(chain_before || int2send(bucket) || int8send(member_id) || key_bytes || int8send(level + 1)
                            || timestamptz_send(at) || int2send(kind::smallint) || int4send(merchant_id)
                            || int8send(points) || int8send(balance) || int8send(0) || int4send(rule_version)
                            || array_send(legs) || decode(repeat('00', 16), 'hex') || body_hash || facts_hash) as chain
        from (
            select s4.*, sha256(facts) as facts_hash
            from (
                select s3.*, balance_before + points as balance,
                       case when points = 0 then '{}'::bigint[] else
                            array[1, ('x' || encode(substring(key_bytes for 8), 'hex'))::bit(64)::bigint,
                                  ('x' || encode(substring(key_bytes from 9), 'hex'))::bit(64)::bigint, 1,
                                  merchant_id, points, bench.us_of(at), bench.us_of(expires_at)] end as legs,
                       salt || int4send(merchant_id) || int4send(merchant_id) || '\x0001'::bytea
                       || int4send(octet_length(till)) || convert_to(till, 'UTF8')
                       || int4send(octet_length(receipt)) || convert_to(receipt, 'UTF8')
                       || '\x00000000'::bytea || int4send(day) || timestamptz_send(at) || int8send(amount)
                       || '\x0000000000000000'::bytea
                       || int4send(octet_length(currency)) || convert_to(currency, 'UTF8')
                       || case when kind = 2
                               then '\x0000000e'::bytea || convert_to('article-000042', 'UTF8') || '\x00000007'::bytea
                                    || convert_to('grocery', 'UTF8') || int8send(1000) || int8send(amount)
                                    || int8send(points)
                               else ''::bytea end as facts
                from (
                    select s2.*, uuid_send(id) as key_bytes,
                           timezone('Europe/London', ((timezone('Europe/London', at)::date
                                                       + interval '24 months')::date + 1)::timestamp) as expires_at,
                           case when kind = 2 then amount / 100 else 0 end as points,
                           case when kind = 2 then (select r.rule_version from loyal.rule r
                                                    where r.merchant_id = s2.merchant_id) else 0 end as rule_version
                    from (
                        select s1.*, case level when 0 then 1 else 2 end as kind,
                               p_merchant + (n * 7 + level * 5)::integer % p_merchants as merchant_id,
                               to_char(at, 'YYYYMMDD')::integer as day,
                               case level when 0 then 0 else 100 + (get_byte(h, 20) * 256 + get_byte(h, 21)) % 19901
                                   end::bigint as amount,
                               case level when 0 then '' else (100000000000000 + n * 1000 + level)::text end as receipt,
                               case level when 0 then '' else 'till-1' end as till,
                               case level when 0 then '' else 'EUR' end as currency,
                               substring(h for 16) as salt, substring(h from 17) as body_hash,
                               encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing
                                   substring(int8send((date_part('epoch', at) * 1000)::bigint) from 3) from 1),
                                   52, 1), 53, 1), 'hex')::uuid as id
                        from (
                            select n, purchases, bucket, member_id, balance as balance_before, state.chain as chain_before,
                                   next_change_at,
                                   began + (level * 36.0 / (purchases + 1)) * interval '1 day'
                                         + (n % 80000) * interval '1 second' as at,
                                   sha256(convert_to(p_seed || ' ' || n || ' ' || level, 'UTF8')) as h
                            from state order by bucket, member_id offset 0) s1 offset 0) s2 offset 0) s3 offset 0) s4
            offset 0) s5;

        insert into loyal.entry (bucket, member_id, id, seq, decided_at, kind, merchant_id, points, balance, debt,
            rule_version, legs, body_hash, facts_hash, chain, salt, store_id, terminal_id, channel, till, receipt, part,
            business_date, occurred_at, amount_minor, paid_in_points_minor, currency)
        select bucket, member_id, id, level + 1, at, kind, merchant_id, points, balance, 0,
               rule_version, legs, body_hash, facts_hash, chain, salt, merchant_id, merchant_id, 1, till, receipt, 0, day, at, amount,
               0, currency
        from step;
        get diagnostics touched = row_count;
        made := made + touched;
        insert into loyal.basket_line
        select bucket, member_id, id, 1, 'article-000042', 'grocery', 1000, amount, points from step where kind = 2;
        insert into loyal.lot select bucket, member_id, id, 1, merchant_id, points, at, expires_at
        from step where points > 0;
        insert into loyal.identifier (identifier_hash, key_version, bucket, member_id)
        select bench.identifier_hash((9900000000 + n)::text), 1, bucket, member_id
        from step where purchases = level order by 1;
        insert into loyal.member (bucket, member_id, available, debt, seq, chain, decided_at, next_change_at)
        select bucket, member_id, balance, 0, level + 1, chain, at,
               case when points > 0 then least(next_change_at, expires_at) else next_change_at end
        from step where purchases = level order by bucket, member_id;
        drop table state;
        create temp table state on commit drop as
        select n, purchases, bucket, member_id, balance, chain,
               case when points > 0 then least(next_change_at, expires_at) else next_change_at end as next_change_at
        from step where purchases > level;
        drop table step;
    end loop;
    return made;
end
$$;

-- Three members of ten granted to the first merchant, and to four others each: to two of them all fields, to one all
-- but the basket, to one what was bought at one merchant; one grant in five is for analysis, the others are for service.
-- A tenth was revoked, but none of those who buy often, nor of the first merchant's.
create function bench.preload_grants(p_first bigint, p_last bigint, p_merchant integer, p_merchants integer,
                                     p_seed text, p_now timestamptz) returns bigint
    language sql set synchronous_commit = off
begin atomic
    with who as (
        select n, ('x' || encode(substring(sha256(convert_to(p_seed || ' member ' || n, 'UTF8')) for 8), 'hex')
                   )::bit(64)::bigint & 9223372036854775807 as member_id
        from generate_series(p_first, p_last) n where n % 10 < 3
    ), made as (
        select n, i, member_id, sha256(convert_to(p_seed || ' grant ' || n || ' ' || i, 'UTF8')) as h,
               p_merchant + case i when 0 then 0 else 1 + (n / 10 + 11 * i)::integer % (p_merchants - 1) end as recipient
        from who cross join generate_series(0, 4) i
    ), added as (
        insert into loyal.consent (bucket, member_id, consent_id, recipient, source, purpose, fields, granted_at, until_at,
                                   text_version, channel, terminal_id, operator_id, body_hash, place,
                                   ended_at, end_kind, end_terminal_id, end_operator_id)
        select (member_id & 255)::smallint, member_id, bench.key_of(p_now - interval '39 days'), recipient,
               case i when 4 then p_merchant + (n * 7 + 5)::integer % p_merchants else 0 end,
               case i when 3 then 3 else 1 end, case i when 2 then 3 else 7 end,
               p_now - interval '39 days', p_now + interval '300 days', 'bench-1', 1, recipient, 0,
               substring(h from 17),
               ('x' || encode(substring(h for 8), 'hex'))::bit(64)::bigint & 9223372036854775807,
               ended, case when ended is not null then 1 end, case when ended is not null then recipient end,
               case when ended is not null then 0 end
        from (select *, case when i > 0 and n % 100 > 0 and get_byte(h, 8) < 26 then p_now - interval '1 day' end as ended
              from made) g
        order by 1, 2
        returning 1)
    select count(*) from added;
end;
commit;
