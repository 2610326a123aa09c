-- Deploy loyal:erasure
-- requires: census
-- What is left of an erased member (R29), and all that is stored about one. An entry of kind 7, forfeit, takes the remaining
-- points out of the books with legs of kind 5: of an entry of kind 6 they expired, of kind 7 they were forfeited.
begin;

-- R30 from the journal's legs; lots past their expiry as of the instant count as expired. So
-- issued = available + redeemed + expired + forfeited + clawed_back - debt, unless the books are wrong. A forged issuer shows as 0.
drop function loyal.issuer_sums(integer, integer, timestamptz);
create function loyal.issuer_sums(bucket_first integer, bucket_last integer, as_of timestamptz)
    returns table (issuer integer, issued bigint, available bigint, redeemed bigint, expired bigint, forfeited bigint,
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
               coalesce(sum(l.points) filter (where l.leg_kind = 5 and l.entry_kind <> 7), 0) as expired,
               coalesce(sum(l.points) filter (where l.leg_kind = 5 and l.entry_kind = 7), 0) as forfeited,
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
           coalesce(forfeited, 0)::bigint,
           coalesce(clawed_back + owed, 0)::bigint, coalesce(owed - repaid, 0)::bigint
    from leg full join lot using (issuer)
    order by 1;
end;

-- Erasures that are finished, by the key of their request: who asks again by an identifier, which is gone, gets the answer.
create table loyal.erasure (
    bucket smallint not null,
    member_id bigint not null,
    key uuid not null,
    erased_at timestamptz not null,
    operator_id integer not null,
    points bigint not null,   -- forfeited
    body_hash bytea not null, -- R32
    primary key (bucket, member_id, key)
);
create unique index erasure_key on loyal.erasure (key);

-- Every row that is stored about a member: the table's place and name, the row's place in it, and the row.
create function loyal.member_rows(bucket smallint, member_id bigint)
    returns table (place integer, key text, table_name text, row_json jsonb)
    language sql stable parallel safe
begin atomic
    select 1, '', 'member', to_jsonb(m) from loyal.member m
    where m.bucket = member_rows.bucket and m.member_id = member_rows.member_id
    union all
    select 2, i.identifier_hash::text, 'identifier', to_jsonb(i) from loyal.identifier i
    where i.bucket = member_rows.bucket and i.member_id = member_rows.member_id
    union all
    select 3, to_char(e.seq, 'FM0000000000000000000'), 'entry', to_jsonb(e) - 'legs' from loyal.entry e
    where e.bucket = member_rows.bucket and e.member_id = member_rows.member_id
    union all
    select 4, to_char(l.seq, 'FM0000000000000000000')
              || to_char(row_number() over (partition by l.entry_id order by l), 'FM0000000000'), 'entry_leg', to_jsonb(l)
    from loyal.entry_leg l
    where l.bucket = member_rows.bucket and l.member_id = member_rows.member_id
    union all
    select 5, l.entry_id || to_char(l.number, 'FM00000'), 'basket_line', to_jsonb(l) from loyal.basket_line l
    where l.bucket = member_rows.bucket and l.member_id = member_rows.member_id
    union all
    select 6, l.entry_id || to_char(l.number, 'FM00000'), 'lot', to_jsonb(l) from loyal.lot l
    where l.bucket = member_rows.bucket and l.member_id = member_rows.member_id
    union all
    select 7, to_char(d.issuer, 'FM0000000000'), 'debt', to_jsonb(d) from loyal.debt d
    where d.bucket = member_rows.bucket and d.member_id = member_rows.member_id
    union all
    select 8, r.key || to_char(r.merchant_id, 'FM0000000000'), 'refusal', to_jsonb(r) from loyal.refusal r
    where r.bucket = member_rows.bucket and r.member_id = member_rows.member_id
    union all
    select 9, c.consent_id::text, 'consent', to_jsonb(c) from loyal.consent c
    where c.bucket = member_rows.bucket and c.member_id = member_rows.member_id
    union all
    select 10, d.page_id::text, 'disclosure', to_jsonb(d) from loyal.disclosure d
    where d.bucket = member_rows.bucket and d.member_id = member_rows.member_id
    union all
    select 11, to_char(s.number, 'FM0000000000'), 'member_standing_change', to_jsonb(s)
    from loyal.member_standing_change s
    where s.bucket = member_rows.bucket and s.member_id = member_rows.member_id
    union all
    select 12, e.key::text, 'erasure', to_jsonb(e) from loyal.erasure e
    where e.bucket = member_rows.bucket and e.member_id = member_rows.member_id;
end;

update loyal.schema_version set version = 'erasure';

commit;
