-- Deploy loyal:census
-- requires: network
-- Counts of members under R39: told from k on, rounded, charged before they are told, and kept, so that asking again gives nothing new.
begin;

-- Versioned, never updated: the last one with valid_from <= the question's time is in force.
create table loyal.privacy_rule (
    rule_version integer primary key check (rule_version > 0),
    valid_from timestamptz not null,
    k integer not null check (k >= 5),                              -- smallest group that is told
    questions_a_day integer not null check (questions_a_day >= 0),  -- of each merchant
    release_days integer not null check (release_days > 0)          -- as long the same question gets the same answer
);
insert into loyal.privacy_rule values (1, '-infinity', 20, 20, 7);

create table loyal.question_budget (
    merchant_id integer not null,
    day integer not null, -- yyyymmdd in the network's time zone
    used integer not null,
    primary key (merchant_id, day)
);

create table loyal.release (
    merchant_id integer not null,
    question bytea not null,         -- SHA-256 of its canonical form
    counted_at timestamptz not null,
    rule_version integer not null,
    k integer not null,              -- the rule's: whatever k is asked for, the count is the same
    with_grant bigint,               -- null: fewer than k
    without_grant bigint,
    primary key (merchant_id, question, counted_at)
);

-- What is told of a group: null below k, else the nearest multiple of 5.
create function loyal.told(members bigint, k integer) returns bigint
    language sql immutable parallel safe
    return case when members >= k then (members + 2) / 5 * 5 end;

-- What is told to who asks for a larger group than the rule's: compared is what the rule tells, so that asking for one k after
-- the other does not find the number that was rounded.
create function loyal.told_above(told bigint, k_rule integer, k integer) returns bigint
    language sql immutable parallel safe
    return case when k = k_rule or told >= k then told end;

-- The asker is loyal.asker(). Filters: null is open; arrays in any order. No row: the day's questions are used up.
-- The budget's row is locked before counting, so that the same question asked twice at a time is counted and charged once.
create function loyal.count_members(merchants integer[], categories text[], date_first integer, date_last integer,
                                    amount_min bigint, amount_max bigint, own_currency text, channels smallint[],
                                    k_asked integer, today integer)
    returns table (with_grant bigint, without_grant bigint, k integer, counted_at timestamptz, released_before boolean,
                   questions_left integer)
    language plpgsql security definer
    set search_path = pg_catalog, pg_temp set enable_seqscan = off
    set plan_cache_mode = force_custom_plan set work_mem = '64MB' set jit = off
as $$
#variable_conflict use_variable
declare
    asker constant integer := loyal.asker();
    asked_for constant smallint := loyal.asked_for();
    at constant timestamptz := loyal.asked_at();
    rule loyal.privacy_rule;
    known loyal.release;
    spent integer;
    is_open boolean;
    question bytea;
    sources integer[];
begin
    select * into strict rule from loyal.privacy_rule r
    where r.valid_from <= at order by r.valid_from desc, r.rule_version desc limit 1;
    k := greatest(k_asked, rule.k);
    merchants := (select array_agg(distinct v order by v) from unnest(merchants) v);
    categories := (select array_agg(distinct v collate "C" order by v collate "C") from unnest(categories) v);
    channels := (select array_agg(distinct v order by v) from unnest(channels) v);
    is_open := num_nonnulls(merchants, categories, date_first, date_last, amount_min, amount_max, channels) = 0;
    question := sha256(convert_to(jsonb_build_array(asked_for, merchants, categories, date_first, date_last,
        amount_min, amount_max, case when num_nonnulls(amount_min, amount_max) > 0 then own_currency end, channels,
        rule.k)::text, 'UTF8'));

    for is_locked in 0..1 loop
        select * into known from loyal.release r
        where r.merchant_id = asker and r.question = question
              and r.counted_at > at - rule.release_days * interval '1 day'
        order by r.counted_at desc limit 1;
        if found then
            spent := coalesce((select b.used from loyal.question_budget b where b.merchant_id = asker and b.day = today), 0);
            return query select loyal.told_above(known.with_grant, rule.k, k),
                                loyal.told_above(known.without_grant, rule.k, k), k, known.counted_at, true,
                                greatest(rule.questions_a_day - spent, 0);
            return;
        end if;
        exit when is_locked = 1;
        insert into loyal.question_budget as b (merchant_id, day, used) values (asker, today, 0)
        on conflict (merchant_id, day) do update set used = b.used returning b.used into spent;
    end loop;
    if spent >= rule.questions_a_day then
        return;
    end if;
    update loyal.question_budget b set used = b.used + 1 where b.merchant_id = asker and b.day = today;

    -- Who bought elsewhere what is asked for and nothing here; whoever granted is judged by what he granted.
    sources := coalesce(merchants, array(select m.merchant_id from loyal.merchant m));
    select count(*) filter (where b.has_granted and (is_open or exists (
               select from loyal.purchase_elsewhere p
               where p.bucket = b.bucket and p.member_id = b.member_id and p.kind = 2
                     and (merchants is null or p.merchant_id = any (merchants))
                     and (date_first is null or p.business_date >= date_first)
                     and (date_last is null or p.business_date <= date_last)
                     and (channels is null or p.channel = any (channels))
                     and (amount_min is null or p.currency = own_currency and p.amount_minor >= amount_min)
                     and (amount_max is null or p.currency = own_currency and p.amount_minor <= amount_max)
                     and (categories is null or exists (
                         select from loyal.line_elsewhere l
                         where l.bucket = p.bucket and l.member_id = p.member_id and l.entry_id = p.id
                               and l.category = any (categories)))))),
           count(*) filter (where not b.has_granted)
    into with_grant, without_grant
    from (select m.bucket, m.member_id,
                 exists (select from loyal.consent c
                         where c.bucket = m.bucket and c.member_id = m.member_id and c.recipient = asker
                               and c.purpose = asked_for and c.ended_at is null and c.until_at > at offset 0) as has_granted
          from loyal.member m
          where not exists (select from loyal.entry e
                            where e.bucket = m.bucket and e.member_id = m.member_id and e.kind = 2
                                  and e.merchant_id = asker)
                and exists (select from loyal.entry e
                            where e.bucket = m.bucket and e.member_id = m.member_id
                                  and e.merchant_id = any (sources) and e.merchant_id <> asker and e.kind = 2
                                  and e.salt is not null
                                  and (date_first is null or e.business_date >= date_first)
                                  and (date_last is null or e.business_date <= date_last)
                                  and (channels is null or e.channel = any (channels))
                                  and (amount_min is null or e.currency = own_currency and e.amount_minor >= amount_min)
                                  and (amount_max is null or e.currency = own_currency and e.amount_minor <= amount_max)
                                  and (categories is null or exists (
                                      select from loyal.basket_line l
                                      where l.bucket = e.bucket and l.member_id = e.member_id and l.entry_id = e.id
                                            and l.category = any (categories) offset 0)))
          offset 0) b;
    if is_open then -- those, too, who granted and bought nowhere
        with_grant := (select count(*) from loyal.member_granting m where not m.is_met);
    end if;
    with_grant := loyal.told(with_grant, rule.k);
    without_grant := loyal.told(without_grant, rule.k);

    insert into loyal.release values (asker, question, at, rule.rule_version, rule.k, with_grant,
                                      without_grant);
    return query select loyal.told_above(with_grant, rule.k, k), loyal.told_above(without_grant, rule.k, k), k,
                        at, false, rule.questions_a_day - spent - 1;
end
$$;

update loyal.schema_version set version = 'census';

commit;
