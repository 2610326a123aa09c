-- Deploy loyal:network
-- requires: consent
-- What a merchant sees of purchases made elsewhere, and the record of what it was shown (R38-R41). Two locks, each of which
-- holds alone: the views, which join the grant and mask by it, and row security on the tables below them. The views belong
-- to loyal_network, for whom row security is in force; loyal_reader may select from the views alone.
begin;

-- Who asks, what for and when: settings of the transaction. Without them every query of the views fails that meets a row.
create function loyal.asker() returns integer
    language sql stable parallel safe
    return current_setting('loyal.asker')::integer;
create function loyal.asked_for() returns smallint
    language sql stable parallel safe
    return current_setting('loyal.purpose')::smallint;
create function loyal.asked_at() returns timestamptz
    language sql stable parallel safe
    return current_setting('loyal.at')::timestamptz;

-- The reference's epoch for those who may not read its table: whoever has read it holds a lock that SetStanding waits for.
create function loyal.epoch() returns bigint
    language sql volatile security definer set search_path = pg_catalog, pg_temp
begin atomic
    select r.epoch from loyal.reference_epoch r;
end;

-- A merchant's own entries by time; an entry costs one insert at the merchant's right edge.
create index entry_merchant on loyal.entry (merchant_id, decided_at);

-- ---- the first lock ----

-- fields: union of the asker's grants in force. What was erased is not there.
create view loyal.purchase_elsewhere with (security_barrier) as
select e.bucket, e.member_id, e.id, e.kind, g.fields,
       case when g.fields & 1 <> 0 then e.merchant_id end as merchant_id,
       case when g.fields & 1 <> 0 then e.business_date end as business_date,
       case when g.fields & 1 <> 0 then e.channel end as channel,
       case when g.fields & 2 <> 0 then e.amount_minor end as amount_minor,
       case when g.fields & 2 <> 0 -- a refund names none: it is in its merchant's
            then coalesce(nullif(e.currency, ''), (select m.currency from loyal.merchant m
                                                   where m.merchant_id = e.merchant_id)) end as currency,
       case when g.fields & 2 <> 0 then e.points end as points,
       e.seq -- orders a member's, and is shown to nobody
from loyal.entry e
     cross join lateral (
         select bit_or(c.fields) as fields
         from loyal.consent c
         where c.bucket = e.bucket and c.member_id = e.member_id and c.recipient = (select loyal.asker())
               and c.purpose = (select loyal.asked_for()) and c.source in (0, e.merchant_id)
               and c.ended_at is null and c.until_at > (select loyal.asked_at())) g
where e.kind in (2, 4) and e.merchant_id <> (select loyal.asker()) and e.salt is not null and g.fields <> 0;

create view loyal.line_elsewhere with (security_barrier) as
select p.bucket, p.member_id, p.id as entry_id, l.number, l.product, l.category, l.quantity_milli,
       case when p.fields & 2 <> 0 then l.amount_minor end as amount_minor
from loyal.purchase_elsewhere p
     join loyal.basket_line l on l.bucket = p.bucket and l.member_id = p.member_id and l.entry_id = p.id
where p.fields & 4 <> 0;

-- Members with a grant in force towards the asker, each once. is_met: he bought at the asker.
create view loyal.member_granting with (security_barrier) as
select c.place, c.bucket, c.member_id,
       exists (select from loyal.entry e
               where e.bucket = c.bucket and e.member_id = c.member_id and e.kind = 2
                     and e.merchant_id = loyal.asker() offset 0) as is_met
from loyal.consent c
where c.recipient = loyal.asker() and c.purpose = loyal.asked_for()
      and c.ended_at is null and c.until_at > loyal.asked_at()
      and not exists (select from loyal.consent o
                      where o.bucket = c.bucket and o.member_id = c.member_id and o.recipient = c.recipient
                            and o.purpose = c.purpose and o.ended_at is null and o.until_at > loyal.asked_at()
                            and o.source < c.source)
order by c.place, c.member_id;

-- ---- the second lock ----

alter table loyal.entry enable row level security;
alter table loyal.basket_line enable row level security;
alter table loyal.consent enable row level security;

create policy network on loyal.consent for select to loyal_network
    using (recipient = loyal.asker());
create policy network on loyal.entry for select to loyal_network
    using (merchant_id = (select loyal.asker())
           or exists (select from loyal.consent c
                      where c.bucket = entry.bucket and c.member_id = entry.member_id
                            and c.recipient = (select loyal.asker()) and c.purpose = (select loyal.asked_for())
                            and c.source in (0, entry.merchant_id)
                            and c.ended_at is null and c.until_at > (select loyal.asked_at())));
create policy network on loyal.basket_line for select to loyal_network
    using (exists (select from loyal.consent c
                   where c.bucket = basket_line.bucket and c.member_id = basket_line.member_id
                         and c.recipient = (select loyal.asker())
                         and c.purpose = (select loyal.asked_for()) and c.fields & 4 <> 0
                         and c.ended_at is null and c.until_at > (select loyal.asked_at())
                         and (c.source = 0
                              or exists (select from loyal.entry e
                                         where e.bucket = basket_line.bucket and e.member_id = basket_line.member_id
                                               and e.id = basket_line.entry_id and e.merchant_id + 0 = c.source))));
-- Everybody else is held by his privileges.
create policy others on loyal.consent to loyal_daemon, loyal_auditor using (true) with check (true);
create policy others on loyal.entry to loyal_daemon, loyal_auditor, loyal_eraser using (true) with check (true);
create policy others on loyal.basket_line to loyal_daemon, loyal_auditor, loyal_eraser using (true) with check (true);

grant create on schema loyal to loyal_network;
alter view loyal.purchase_elsewhere owner to loyal_network;
alter view loyal.line_elsewhere owner to loyal_network;
alter view loyal.member_granting owner to loyal_network;
revoke create on schema loyal from loyal_network;

-- ---- what was shown ----

-- A row for each member on each page: committed before the page is sent (R40).
create table loyal.disclosure (
    bucket smallint not null,
    member_id bigint not null,
    page_id uuid not null,           -- UUIDv7 of the page's time
    disclosed_at timestamptz not null,
    merchant_id integer not null,    -- to whom; 0: an operator
    terminal_id integer not null,
    operator_id integer not null,
    verb smallint not null,          -- number of the request in loyal.v1.Request
    purpose smallint not null,       -- loyal.v1.Purpose; 0: an operator, who says
    reason text not null,
    entries uuid[] not null,
    fields smallint[] not null,      -- of each entry: bits of loyal.consent.fields; 0: the row whole
    primary key (bucket, member_id, page_id),
    check (cardinality(entries) = cardinality(fields))
) partition by range (page_id);

-- The reader records what he shows as who asks, for what and when, and as nobody else.
alter table loyal.disclosure enable row level security;
create policy shown on loyal.disclosure for insert to loyal_reader
    with check (merchant_id = loyal.asker() and purpose = loyal.asked_for() and disclosed_at = loyal.asked_at()
                and operator_id = 0 and reason = '');
create policy others on loyal.disclosure to loyal_daemon, loyal_auditor, loyal_eraser using (true) with check (true);

create view loyal.disclosed_entry with (security_invoker = true) as
select d.bucket, d.member_id, d.page_id, d.disclosed_at, d.merchant_id, d.terminal_id, d.operator_id, d.verb, d.purpose,
       u.entry_id, u.fields
from loyal.disclosure d cross join lateral unnest(d.entries, d.fields) u (entry_id, fields);

-- Replaces that of `maintenance`: for every table that is partitioned by a UUIDv7, whichever came or went.
create or replace function loyal.partitions_make(first date, last date) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
    quarters_max constant integer := 400;
    quarter date := date_trunc('quarter', first::timestamp)::date;
    parent text;
    child text;
    key text;
    low uuid;
    high uuid;
    made integer := 0;
begin
    if first is null or last is null or last < first
            or first < date '1970-01-01' or last >= first + quarters_max * 91 then
        raise exception 'no range of quarters: % to %', first, last using errcode = '22023';
    end if;
    while quarter <= last loop
        low := loyal.uuid_at(quarter::timestamp at time zone 'UTC');
        high := loyal.uuid_at((quarter + interval '3 months') at time zone 'UTC');
        for parent, key in
            select c.relname, a.attname
            from pg_partitioned_table p join pg_class c on c.oid = p.partrelid
                 join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
            where c.relnamespace = 'loyal'::regnamespace and a.atttypid = 'uuid'::regtype
            order by 1
        loop
            child := parent || to_char(quarter, '_YYYY"q"Q');
            continue when to_regclass('loyal.' || child) is not null;
            execute format('create table loyal.%I (like loyal.%I including all,'
                           ' constraint range_ahead check (%I >= %L and %I < %L))',
                           child, parent, key, low, key, high);
            execute format('alter table loyal.%I attach partition loyal.%I for values from (%L) to (%L)',
                           parent, child, low, high);
            execute format('alter table loyal.%I drop constraint range_ahead', child);
            made := made + 1;
        end loop;
        quarter := (quarter + interval '3 months')::date;
    end loop;
    return made;
end
$$;

update loyal.schema_version set version = 'network';

commit;
