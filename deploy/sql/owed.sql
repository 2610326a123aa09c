-- What issuers owe redeemers in points; issuer = redeemer is listed too.
\set QUIET on
\pset format csv
select i.code as issuer, r.code as redeemer, o.points
from loyal.owed_points() o
     join loyal.merchant i on i.merchant_id = o.issuer
     join loyal.merchant r on r.merchant_id = o.redeemer
order by 1, 2;
