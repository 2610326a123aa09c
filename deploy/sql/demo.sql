-- One screen of the demo, read as loyal_auditor. Parameter: as_of, the domain time.
\set QUIET on
\pset footer off
\pset linestyle ascii
\pset border 1
\pset null ''
set time zone 'Europe/London';
set work_mem = '64MB';

-- A member with a readable history: several merchants, and points redeemed where none of them was earned.
with redemption as (
    select l.bucket, l.member_id, l.entry_id, l.seq, count(distinct l.issuer) as issuers
    from loyal.entry_leg l
    where l.entry_kind = 3 and l.leg_kind = 2
    group by 1, 2, 3, 4
    having not bool_or(l.issuer = l.merchant_id) and count(distinct l.issuer) > 1
), candidate as (
    select bucket, member_id, (array_agg(entry_id order by issuers desc, seq desc))[1] as entry_id,
           max(issuers) as issuers
    from redemption
    group by 1, 2
)
select m.bucket, m.member_id, c.entry_id, m.available, m.debt, m.seq,
       (select count(distinct e.merchant_id) from loyal.entry e
        where (e.bucket, e.member_id) = (m.bucket, m.member_id) and e.merchant_id > 0) as merchants
from candidate c join loyal.member m using (bucket, member_id)
order by (m.seq between 20 and 120) desc, (m.available > 0) desc, least(c.issuers, 4) desc, merchants desc, m.member_id
limit 1
\gset

\echo '1. Member' :member_id '- balance' :available 'points, debt' :debt 'after' :seq 'entries at' :merchants 'merchants; the last ones:'
select to_char(e.occurred_at, 'YYYY-MM-DD HH24:MI') as "when", coalesce(m.code, '(network)') as merchant,
       (array['enrolled', 'purchase', 'redeemed', 'refund', 'redemption reversed', 'expired', 'forfeited'])[e.kind] as what,
       case when e.kind in (2, 4) then to_char(e.amount_minor / 100.0, 'FM999990.00') end as pounds,
       case when e.kind in (3, 4, 6, 7) then -e.points when e.kind <> 1 then e.points end as points,
       e.balance
from loyal.entry e left join loyal.merchant m using (merchant_id)
where (e.bucket, e.member_id) = (:bucket, :member_id) and e.seq > :seq - 9
order by e.seq;

\echo '2. His redemption at a merchant that issued none of the points:'
select to_char(e.occurred_at, 'YYYY-MM-DD') as "when", m.code as "redeemed at", i.code as "issued by",
       sum(l.points) as points, count(*) as lots, min(l.expires_at)::date - 1 as "first expiry"
from loyal.entry e
     join loyal.entry_leg l on (l.bucket, l.member_id, l.entry_id) = (e.bucket, e.member_id, e.id)
     join loyal.merchant m on m.merchant_id = e.merchant_id
     join loyal.merchant i on i.merchant_id = l.issuer
where (e.bucket, e.member_id, e.id) = (:bucket, :member_id, :'entry_id'::uuid) and l.leg_kind = 2
group by 1, 2, 3
order by points desc;

\echo '3. Who owes whom how many points (the largest, and all):'
with owed as (
    select i.code as issuer, r.code as redeemer, o.points
    from loyal.owed_points() o
         join loyal.merchant i on i.merchant_id = o.issuer
         join loyal.merchant r on r.merchant_id = o.redeemer
    where o.issuer <> o.redeemer
), shown as (
    (select 1 as place, issuer, redeemer, points from owed order by points desc limit 5)
    union all
    (select 2, 'all ' || count(*) || ' pairs', '', coalesce(sum(points), 0) from owed)
    union all
    (select 3, '(redeemed at their own issuer)', '', coalesce(sum(points), 0)
     from loyal.owed_points() where issuer = redeemer)
)
select issuer as "owes", redeemer as "to", to_char(points, 'FM999,999,999') as points
from shown
order by place, shown.points desc;

\echo '4. Conservation: issued = available + redeemed + expired + forfeited + clawed back - debt, and three sources agree:'
with sums as (
    select sum(issued) as issued, sum(available) as available, sum(redeemed) as redeemed,
           sum(expired) as expired, sum(forfeited) as forfeited, sum(clawed_back) as clawed_back, sum(debt) as debt
    from loyal.issuer_sums(0, 255, :'as_of')
)
select to_char(issued, 'FM999,999,999') as issued, to_char(available, 'FM999,999,999') as available,
       to_char(redeemed, 'FM999,999,999') as redeemed, to_char(expired, 'FM999,999,999') as expired, to_char(forfeited, 'FM999,999,990') as forfeited,
       to_char(clawed_back, 'FM999,999,999') as "clawed back", to_char(debt, 'FM999,999,999') as debt,
       case when issued = available + redeemed + expired + forfeited + clawed_back - debt then 'yes' else 'NO' end as "adds up"
from sums;
select (select sum(case when leg_kind in (1, 6) then points when leg_kind in (2, 3, 4, 5) then -points else 0 end)
        from loyal.entry_leg) as "available: journal",
       (select sum(points) from loyal.lot) as "lots", (select sum(available) from loyal.member) as "members",
       (select count(*) from loyal.entry) as "entries chained", (select count(*) from loyal.member) as "of members",
       (select coalesce(max(total), 0) from loyal.findings(0, 255, :'as_of', 1)) as findings;
