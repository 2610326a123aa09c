-- Deploy loyal:check
-- requires: maintenance
-- The books checked against themselves: for auditors, CheckConservation and tests. Everything here only reads, with the
-- caller's rights, and takes its instant as a parameter. The daemon hashes in C (server/ledger/chain.c); this is the
-- second, independent statement of the same bytes, and the contract between both:
--
--   chain = sha256( chain of the member's entry before, 32 zero bytes for his first | bucket int2 | member_id int8
--       | id uuid | seq int8 | decided_at time | kind int2 | merchant_id int4 | points int8 | balance int8 | debt int8
--       | rule_version int4 | legs array | original uuid, 16 zero bytes for none | body_hash 16 bytes
--       | facts_hash 32 bytes )
--   facts_hash = sha256( salt | store_id int4 | terminal_id int4 | channel int2 | till txt | receipt txt | part int4
--       | business_date int4 | occurred_at time | amount_minor int8 | paid_in_points_minor int8 | currency txt
--       | lines )
--   lines: in order of number, product txt | category txt | quantity_milli int8 | amount_minor int8 | points int8 each
--
-- | is concatenation; intN is two's complement, big-endian; time is int8 microseconds since 2000-01-01 UTC; txt is the
-- int4 number of bytes and the UTF-8 bytes; uuid is its 16 bytes; array is array_send of bigint[]: int4 ndim (1, or 0
-- when empty), int4 0 (no nulls), int4 20 (the element's type), and unless empty int4 length, int4 1 (lower bound),
-- then int4 8 and int8 for each element. In an unerased entry no fact is null: '' or 0 where nothing was said, and
-- occurred_at = decided_at where there was none. An erased entry has no salt; its facts_hash can no longer be checked.
begin;

create function loyal.txt(s text) returns bytea
    language sql stable parallel safe
    return int4send(octet_length(s)) || convert_to(s, 'UTF8');

-- previous: the chain of the entry before, null for a member's first.
create function loyal.chain_of(previous bytea, e loyal.entry) returns bytea
    language sql stable parallel safe
    return sha256(
        coalesce(previous, '\x0000000000000000000000000000000000000000000000000000000000000000')
        || int2send(e.bucket) || int8send(e.member_id) || uuid_send(e.id) || int8send(e.seq)
        || timestamptz_send(e.decided_at) || int2send(e.kind) || int4send(e.merchant_id)
        || int8send(e.points) || int8send(e.balance) || int8send(e.debt) || int4send(e.rule_version)
        || array_send(e.legs) || coalesce(uuid_send(e.original), '\x00000000000000000000000000000000')
        || e.body_hash || e.facts_hash);

create function loyal.line_bytes(l loyal.basket_line) returns bytea
    language sql stable parallel safe
    return loyal.txt(l.product) || loyal.txt(l.category)
        || int8send(l.quantity_milli) || int8send(l.amount_minor) || int8send(l.points);

create function loyal.lines_bytes(bucket smallint, member_id bigint, entry_id uuid) returns bytea
    language sql stable parallel safe
    return (select coalesce(string_agg(loyal.line_bytes(l), ''::bytea order by l.number), ''::bytea)
            from loyal.basket_line l
            where l.bucket = lines_bytes.bucket and l.member_id = lines_bytes.member_id
              and l.entry_id = lines_bytes.entry_id);

-- Null when a fact is.
create function loyal.facts_hash_of(e loyal.entry, lines bytea) returns bytea
    language sql stable parallel safe
    return sha256(
        e.salt || int4send(e.store_id) || int4send(e.terminal_id) || int2send(e.channel)
        || loyal.txt(e.till) || loyal.txt(e.receipt) || int4send(e.part) || int4send(e.business_date)
        || timestamptz_send(e.occurred_at) || int8send(e.amount_minor)
        || int8send(e.paid_in_points_minor) || loyal.txt(e.currency) || lines);

create function loyal.facts_hash_of(e loyal.entry) returns bytea
    language sql stable parallel safe
    return loyal.facts_hash_of(e, loyal.lines_bytes(e.bucket, e.member_id, e.id));

-- A leg's instant. What lies beyond double precision's whole numbers (some 285 years around 2000) is no instant the
-- daemon writes: it becomes the bound, so that forged legs are reported and do not end the check with an error.
create function loyal.leg_instant(us bigint) returns timestamptz
    language sql immutable parallel safe
    return case us when 9223372036854775807 then timestamptz 'infinity'
        else timestamptz '2000-01-01 00:00:00+00'
             + least(greatest(us, -9007199254740992), 9007199254740992) * interval '1 microsecond' end;

create function loyal.leg_uuid(high bigint, low bigint) returns uuid
    language sql immutable parallel safe
    return encode(int8send(high) || int8send(low), 'hex')::uuid;

-- Each leg of the journal in a row. lot_entry and lot_number are null for a debt made (leg kind 7). Nothing is cast
-- that a forged number could make fail.
create view loyal.entry_leg with (security_invoker = true) as
select bucket, member_id, entry_id, seq, merchant_id, entry_kind, legs[k + 1] as leg_kind,
       case when legs[k + 1] <> 7 then loyal.leg_uuid(legs[k + 2], legs[k + 3]) end as lot_entry,
       case when legs[k + 1] <> 7 then legs[k + 4] end as lot_number,
       legs[k + 5] as issuer, legs[k + 6] as points,
       loyal.leg_instant(legs[k + 7]) as earned_at, loyal.leg_instant(legs[k + 8]) as expires_at
from (select bucket, member_id, id as entry_id, seq, merchant_id, kind as entry_kind, legs,
             generate_series(0, cardinality(legs) - 8, 8) as k
      from loyal.entry) e;

-- R30 from the journal's legs; lots past their expiry as of the instant count as expired. So
-- issued = available + redeemed + expired + clawed_back - debt, unless the books are wrong. A forged issuer shows as 0.
create function loyal.issuer_sums(bucket_first integer, bucket_last integer, as_of timestamptz)
    returns table (issuer integer, issued bigint, available bigint, redeemed bigint, expired bigint,
                   clawed_back bigint, debt bigint)
    language sql stable parallel safe
    set enable_nestloop = off set work_mem = '64MB'
begin atomic
    with leg as (
        select l.issuer,
               coalesce(sum(l.points) filter (where l.leg_kind = 1), 0) as made,
               coalesce(sum(l.points) filter (where l.leg_kind = 2), 0) as redeemed,
               coalesce(sum(l.points) filter (where l.leg_kind = 3), 0) as clawed_back,
               coalesce(sum(l.points) filter (where l.leg_kind = 4), 0) as repaid,
               coalesce(sum(l.points) filter (where l.leg_kind = 5), 0) as expired,
               coalesce(sum(l.points) filter (where l.leg_kind = 6), 0) as restored,
               coalesce(sum(l.points) filter (where l.leg_kind = 7), 0) as owed
        from loyal.entry_leg l
        where l.bucket between issuer_sums.bucket_first and issuer_sums.bucket_last
        group by l.issuer
    ), lot as (
        select l.issuer::bigint as issuer,
               coalesce(sum(l.points) filter (where l.expires_at > issuer_sums.as_of), 0) as usable,
               coalesce(sum(l.points) filter (where l.expires_at <= issuer_sums.as_of), 0) as past
        from loyal.lot l
        where l.bucket between issuer_sums.bucket_first and issuer_sums.bucket_last
        group by l.issuer
    )
    select case when issuer between 1 and 2147483647 then issuer else 0 end::integer,
           coalesce(made, 0)::bigint, coalesce(usable, 0)::bigint,
           coalesce(redeemed - restored, 0)::bigint, (coalesce(expired, 0) + coalesce(past, 0))::bigint,
           coalesce(clawed_back + owed, 0)::bigint, coalesce(owed - repaid, 0)::bigint
    from leg full join lot using (issuer)
    order by 1;
end;

-- Every disagreement between the journal, the lots and debts, and the members' rows, in order of member and row; the
-- first `max` of them, each with their total. An issuer's disagreement has neither bucket nor member_id.
-- Settings: the planner cannot know how much a range of buckets holds, and a nested loop here would never end.
create function loyal.findings(bucket_first integer, bucket_last integer, as_of timestamptz, max integer)
    returns table (bucket smallint, member_id bigint, row_name text, what text, total bigint)
    language sql stable parallel safe
    set enable_nestloop = off set work_mem = '64MB'
begin atomic
    with leg as materialized (
        select l.bucket, l.member_id, l.entry_id, l.leg_kind, l.lot_entry, l.lot_number, l.issuer,
               l.points, l.earned_at, l.expires_at
        from loyal.entry_leg l
        where l.bucket between findings.bucket_first and findings.bucket_last
    ), effect as (
        select l.bucket, l.member_id, l.entry_id as id,
               sum(case when leg_kind in (1, 6) then points when leg_kind in (2, 3, 4, 5) then -points
                   else 0 end) as balance,
               sum(case leg_kind when 7 then points when 4 then -points else 0 end) as debt,
               bool_and(coalesce(leg_kind between 1 and 7 and points > 0, false)) as sound
        from leg l
        group by 1, 2, 3
    ), step as (
        select e.bucket, e.member_id, e.id, e.seq, e.decided_at, e.points, e.balance, e.debt, e.chain,
               coalesce(lag(e.seq) over w, 0) as seq_before,
               lag(e.decided_at) over w as decided_before,
               coalesce(lag(e.balance) over w, 0) as balance_before,
               coalesce(lag(e.debt) over w, 0) as debt_before,
               coalesce(e.chain = loyal.chain_of(lag(e.chain) over w, e), false) as chained,
               cardinality(e.legs) % 8 = 0 and coalesce(array_ndims(e.legs), 1) = 1 as whole,
               lead(e.seq) over w is null as is_last
        from loyal.entry e
        where e.bucket between findings.bucket_first and findings.bucket_last
        window w as (partition by e.bucket, e.member_id order by e.seq, e.id)
    ), of_entries as (
        select bucket, member_id, format('entry %s seq %s', id, seq) as row_name,
               concat_ws('; ',
                   case when seq <> seq_before + 1 then format('seq follows %s', seq_before) end,
                   case when not chained then 'chain is not that of the row and the one before' end,
                   case when decided_at < decided_before then 'decided before the entry before' end,
                   case when not (whole and coalesce(sound, true)) then 'legs are malformed' end,
                   case when step.balance <> balance_before + coalesce(effect.balance, 0)
                        then format('balance is %s, legs give %s', step.balance,
                                    balance_before + coalesce(effect.balance, 0)) end,
                   case when step.debt <> debt_before + coalesce(effect.debt, 0)
                        then format('debt is %s, legs give %s', step.debt,
                                    debt_before + coalesce(effect.debt, 0)) end,
                   case when least(points, step.balance, step.debt) < 0 then 'a negative number' end) as what
        from step left join effect using (bucket, member_id, id)
    ), lines as materialized (
        select l.bucket, l.member_id, l.entry_id as id,
               string_agg(loyal.line_bytes(l), ''::bytea order by l.number) as bytes
        from loyal.basket_line l
        where l.bucket between findings.bucket_first and findings.bucket_last
        group by 1, 2, 3
    ), of_facts as (
        select e.bucket, e.member_id, format('entry %s seq %s', e.id, e.seq) as row_name,
               case when e.salt is null
                    then case when coalesce(e.store_id, 0) <> 0 or coalesce(e.terminal_id, 0) <> 0
                                   or coalesce(e.channel, 0) <> 0 or coalesce(e.till, '') <> ''
                                   or coalesce(e.receipt, '') <> '' or coalesce(e.part, 0) <> 0
                                   or coalesce(e.business_date, 0) <> 0
                                   or coalesce(e.occurred_at, e.decided_at) <> e.decided_at
                                   or coalesce(e.amount_minor, 0) <> 0
                                   or coalesce(e.paid_in_points_minor, 0) <> 0
                                   or coalesce(e.currency, '') <> ''
                              then 'facts without their salt' end
                    when loyal.facts_hash_of(e, coalesce(l.bytes, ''::bytea)) is distinct from e.facts_hash
                    then 'facts_hash is not that of the facts and basket lines' end as what
        from loyal.entry e left join lines l
             on l.bucket = e.bucket and l.member_id = e.member_id and l.id = e.id
        where e.bucket between findings.bucket_first and findings.bucket_last
    ), of_lines as (
        select l.bucket, l.member_id, format('entry %s', l.id) as row_name,
               'missing, but it has basket lines' as what
        from lines l
        where not exists (select from step s where s.bucket = l.bucket and s.member_id = l.member_id and s.id = l.id)
    ), lot_leg as (
        select l.bucket, l.member_id, l.lot_entry as entry_id, l.lot_number as number,
               sum(case when leg_kind in (1, 6) then points else -points end) as points,
               min(issuer) as issuer, min(earned_at) as earned_at, min(expires_at) as expires_at,
               min(issuer) = max(issuer) and min(earned_at) = max(earned_at)
                   and min(expires_at) = max(expires_at) as agreed
        from leg l
        where l.lot_entry is not null
        group by 1, 2, 3, 4
    ), lot_row as (
        select l.bucket, l.member_id, l.entry_id, l.number::bigint as number, l.points, l.issuer,
               l.earned_at, l.expires_at
        from loyal.lot l
        where l.bucket between findings.bucket_first and findings.bucket_last
    ), of_lots as (
        select bucket, member_id, format('lot %s/%s', entry_id, number) as row_name,
               case when r.points is null and g.points <> 0
                    then format('missing, legs give %s', g.points)
                    when g.points is null then format('%s points that no leg made', r.points)
                    else concat_ws('; ',
                        case when r.points <> g.points
                             then format('points are %s, legs give %s', r.points, g.points) end,
                        case when not g.agreed then 'legs differ in issuer, earned_at or expires_at' end,
                        case when r.issuer <> g.issuer then format('issuer is %s, in legs %s', r.issuer, g.issuer) end,
                        case when r.earned_at <> g.earned_at
                             then format('earned_at is %s, in legs %s', r.earned_at, g.earned_at) end,
                        case when r.expires_at <> g.expires_at
                             then format('expires_at is %s, in legs %s', r.expires_at, g.expires_at) end)
                    end as what
        from lot_leg g full join lot_row r using (bucket, member_id, entry_id, number)
    ), debt_leg as (
        select l.bucket, l.member_id, l.issuer,
               sum(case leg_kind when 7 then points else -points end) as points
        from leg l
        where leg_kind in (4, 7)
        group by 1, 2, 3
    ), debt_row as (
        select d.bucket, d.member_id, d.issuer::bigint as issuer, d.points
        from loyal.debt d
        where d.bucket between findings.bucket_first and findings.bucket_last
    ), of_debts as (
        select bucket, member_id, format('debt to issuer %s', issuer) as row_name,
               case when r.points is null then format('missing, legs give %s', g.points)
                    else format('points are %s, legs give %s', r.points, coalesce(g.points, 0)) end as what
        from debt_leg g full join debt_row r using (bucket, member_id, issuer)
        where coalesce(g.points, 0) <> coalesce(r.points, 0)
    ), member_row as (
        select m.bucket, m.member_id, m.available, m.debt, m.seq, m.chain, m.decided_at, m.next_change_at
        from loyal.member m
        where m.bucket between findings.bucket_first and findings.bucket_last
    ), member_lots as (
        select l.bucket, l.member_id, sum(points) as points, min(expires_at) as expires_at
        from lot_row l
        group by 1, 2
    ), member_debts as (
        select d.bucket, d.member_id, sum(points) as points
        from debt_row d
        group by 1, 2
    ), of_members as (
        select bucket, member_id, 'member' as row_name,
               case when m.seq is null then 'missing, but he has entries'
                    else concat_ws('; ',
                        case when m.available <> coalesce(l.points, 0)
                             then format('available is %s, lots give %s', m.available, coalesce(l.points, 0)) end,
                        case when m.debt <> coalesce(d.points, 0)
                             then format('debt is %s, debts give %s', m.debt, coalesce(d.points, 0)) end,
                        case when m.next_change_at <> coalesce(l.expires_at, 'infinity')
                             then format('next_change_at is %s, lots give %s', m.next_change_at,
                                         coalesce(l.expires_at, 'infinity')) end,
                        case when m.available <> coalesce(s.balance, 0)
                             then format('available is %s, his last entry says %s', m.available,
                                         coalesce(s.balance, 0)) end,
                        case when m.debt <> coalesce(s.debt, 0)
                             then format('debt is %s, his last entry says %s', m.debt, coalesce(s.debt, 0)) end,
                        case when m.seq <> coalesce(s.seq, 0)
                             then format('seq is %s, his last entry''s %s', m.seq, coalesce(s.seq, 0)) end,
                        case when m.chain <> s.chain then 'chain is not his last entry''s' end,
                        case when m.decided_at <> s.decided_at
                             then format('decided_at is %s, his last entry''s %s', m.decided_at, s.decided_at) end)
                    end as what
        from member_row m
             full join (select * from step where is_last) s using (bucket, member_id)
             left join member_lots l using (bucket, member_id)
             left join member_debts d using (bucket, member_id)
    ), issuer_leg as (
        select l.issuer,
               coalesce(sum(l.points) filter (where leg_kind = 1), 0) as issued,
               sum(case when leg_kind in (2, 3, 4, 5) then points when leg_kind = 6 then -points
                   else 0 end) as gone
        from leg l
        group by 1
    ), issuer_lot as (
        select l.issuer::bigint as issuer,
               coalesce(sum(points) filter (where expires_at > findings.as_of), 0) as usable,
               coalesce(sum(points) filter (where expires_at <= findings.as_of), 0) as past
        from lot_row l
        group by 1
    ), of_issuers as (
        select null::smallint as bucket, null::bigint as member_id, format('issuer %s', issuer) as row_name,
               format('issued %s, but available %s, past expiry %s and out of lots %s (R30)',
                      coalesce(issued, 0), coalesce(usable, 0), coalesce(past, 0), coalesce(gone, 0)) as what
        from issuer_leg full join issuer_lot using (issuer)
        where coalesce(issued, 0) <> coalesce(usable, 0) + coalesce(past, 0) + coalesce(gone, 0)
    ), found as (
        select * from of_issuers
        union all select * from of_members where what <> ''
        union all select * from of_entries where what <> ''
        union all select * from of_facts where what <> ''
        union all select * from of_lines
        union all select * from of_lots where what <> ''
        union all select * from of_debts
    )
    select bucket, member_id, row_name, what, count(*) over ()
    from found
    order by bucket nulls first, member_id, row_name, what
    limit findings.max;
end;

-- What issuers owe redeemers in points, net of reversals; issuer = redeemer is listed too (R42).
create function loyal.owed_points() returns table (issuer integer, redeemer integer, points bigint)
    language sql stable parallel safe
begin atomic
    select l.issuer::integer, l.merchant_id,
           sum(case l.leg_kind when 2 then l.points else -l.points end)::bigint
    from loyal.entry_leg l
    where l.entry_kind = 3 and l.leg_kind = 2 or l.entry_kind = 5 and l.leg_kind = 6
    group by 1, 2
    having sum(case l.leg_kind when 2 then l.points else -l.points end) <> 0
    order by 1, 2;
end;

-- Receipts that earned for more than one member (R34): for a till's guard they are different purchases, for merchant and
-- operator a reason to look.
create function loyal.receipts_twice(date_first integer, date_last integer)
    returns table (merchant_id integer, store_id integer, till text, business_date integer, receipt text, part integer,
                   members bigint)
    language sql stable parallel safe
begin atomic
    select e.merchant_id, e.store_id, e.till, e.business_date, e.receipt, e.part, count(distinct e.member_id)
    from loyal.entry e
    where e.kind = 2 and e.receipt <> '' and e.business_date between date_first and date_last
    group by e.merchant_id, e.store_id, e.till, e.business_date, e.receipt, e.part
    having count(distinct e.member_id) > 1
    order by 1, 2, 4, 3, 5, 6;
end;

-- One hash over the content of journal, basket lines, lots, debts and members, wherever their rows lie: equal before
-- and after whatever must have no effect.
create function loyal.state_hash() returns bytea
    language sql stable parallel safe
    set work_mem = '64MB'
begin atomic
    with row_hash (of_table, bucket, key, hash) as (
        select 1, e.bucket, int8send(e.member_id) || uuid_send(e.id),
               loyal.chain_of(e.chain, e) || coalesce(loyal.facts_hash_of(e, ''), '')
        from loyal.entry e
        union all
        select 2, l.bucket, int8send(l.member_id) || uuid_send(l.entry_id) || int2send(l.number),
               sha256(loyal.line_bytes(l))
        from loyal.basket_line l
        union all
        select 3, l.bucket, int8send(l.member_id) || uuid_send(l.entry_id) || int2send(l.number),
               int4send(l.issuer) || int8send(l.points) || timestamptz_send(l.earned_at)
               || timestamptz_send(l.expires_at)
        from loyal.lot l
        union all
        select 4, d.bucket, int8send(d.member_id) || int4send(d.issuer), int8send(d.points)
        from loyal.debt d
        union all
        select 5, m.bucket, int8send(m.member_id),
               sha256(int8send(m.available) || int8send(m.debt) || int8send(m.seq) || m.chain
                      || timestamptz_send(m.decided_at) || timestamptz_send(m.next_change_at)
                      || int2send(m.status))
        from loyal.member m
    ), bucket_hash as (
        select of_table, bucket, sha256(string_agg(sha256(key || hash), ''::bytea order by key)) as hash
        from row_hash
        group by 1, 2
    )
    select sha256(coalesce(string_agg(int4send(of_table) || int2send(bucket) || hash, ''::bytea
                                      order by of_table, bucket), ''))
    from bucket_hash;
end;

update loyal.schema_version set version = 'check';

commit;
