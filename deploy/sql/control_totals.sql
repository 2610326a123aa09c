-- Purchases and refunds per merchant and month of their local time: the journal's and the recorded refusals together.
\set QUIET on
\pset format csv
with asked as (
    select bucket, member_id, merchant_id, kind, amount_minor, occurred_at
    from loyal.entry
    where kind in (2, 4)
    union all
    select bucket, member_id, merchant_id, kind, amount_minor, occurred_at
    from loyal.refusal
    where kind in (2, 4)
)
select m.code as merchant_id, to_char(a.occurred_at at time zone 'Europe/London', 'YYYY-MM') as month,
       count(*) filter (where kind = 2) as purchases,
       coalesce(sum(amount_minor) filter (where kind = 2), 0) as purchase_pence,
       count(*) filter (where kind = 4) as refunds,
       coalesce(sum(amount_minor) filter (where kind = 4), 0) as refund_pence,
       count(distinct (a.bucket, a.member_id)) as members
from asked a join loyal.merchant m using (merchant_id)
group by 1, 2
order by 1, 2;
