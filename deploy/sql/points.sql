-- Points per merchant, from the legs of the journal and the lots. Parameter: as_of.
\set QUIET on
\pset format csv
with here as (
    select redeemer, sum(points) as points
    from loyal.owed_points()
    group by redeemer
)
select m.code as merchant_id, s.issued, coalesce(h.points, 0) as redeemed_here,
       s.redeemed as own_points_redeemed, s.clawed_back, s.debt, s.expired, s.available
from loyal.issuer_sums(0, 255, :'as_of') s
     join loyal.merchant m on m.merchant_id = s.issuer
     left join here h on h.redeemer = s.issuer
order by 1;
