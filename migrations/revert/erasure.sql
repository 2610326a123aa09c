-- Revert loyal:erasure
begin;

-- The sums as `check` made them, with the rights that `privileges` gave.
drop function loyal.member_rows(smallint, bigint);
drop table loyal.erasure;
drop function loyal.issuer_sums(integer, integer, timestamptz);
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
revoke execute on function loyal.issuer_sums(integer, integer, timestamptz) from public;
grant execute on function loyal.issuer_sums(integer, integer, timestamptz) to loyal_daemon, loyal_auditor;
update loyal.schema_version set version = 'census';

commit;
