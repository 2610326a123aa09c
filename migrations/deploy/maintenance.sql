-- Deploy loyal:maintenance
-- requires: journal
-- The lease under which maintenance works, the partitions that it makes ahead and the refusals that it drops.
begin;

create table loyal.lease (
    name text primary key,
    holder text not null,
    epoch bigint not null,
    until timestamptz not null -- real time
);
insert into loyal.lease values ('maintenance', '', 0, '-infinity');

-- The smallest UUIDv7 of an instant.
create function loyal.uuid_at(at timestamptz) returns uuid
    language sql immutable strict parallel safe
    return (lpad(to_hex(floor(extract(epoch from at) * 1000)::bigint), 12, '0')
            || '70008000000000000000')::uuid;

-- Makes the partitions of the quarters (UTC) from that of `first` to that of `last` which do not exist yet, and
-- says how many. A table is filled with its constraints before it is attached: ATTACH then proves the range from
-- the check instead of waiting for the posting path. Definer's rights, so that every partition has one owner.
create function loyal.partitions_make(first date, last date) returns integer
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
        foreach parent in array array['entry', 'basket_line'] loop
            child := parent || to_char(quarter, '_YYYY"q"Q');
            key := case parent when 'entry' then 'id' else 'entry_id' end;
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

-- Deletes the refusals decided before the bound, and says how many. The bound is the caller's domain time less 70 days.
create function loyal.refusals_drop(before timestamptz) returns bigint
    language sql
begin atomic
    with dropped as (delete from loyal.refusal where decided_at < before returning 1)
    select count(*) from dropped;
end;

revoke execute on function loyal.uuid_at(timestamptz), loyal.partitions_make(date, date),
    loyal.refusals_drop(timestamptz) from public;

update loyal.schema_version set version = 'maintenance';

commit;
