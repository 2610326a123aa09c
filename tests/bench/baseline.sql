-- The baseline: one plain function of an earn, one transaction a call, with the effect that loyald's earn has. Written
-- as an honest engineer would who has PostgreSQL and nothing else: every statement finds its rows by a primary key, the
-- reference data that a till's server would keep in memory (merchant, store, terminal, currency) come as parameters,
-- as does the hash of the request's body, and rarely needed reads (debts) happen only where the member's row says so.
-- psql variables: inner, outer: the two padded keys of HMAC-SHA256, the inner one followed by the kind of a card.
\set ON_ERROR_STOP on
begin;
create schema bench;
grant usage on schema bench to loyal_daemon, loyal_auditor;

create function bench.identifier_hash(card text) returns bytea
    language sql stable parallel safe
    return sha256(:'outer'::bytea || sha256(:'inner'::bytea || convert_to(card, 'UTF8')));

-- A new UUIDv7 of an instant: what a client's key is.
create function bench.key_of(at timestamptz) returns uuid
    language sql volatile parallel safe
    return encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
        placing substring(int8send((date_part('epoch', at) * 1000)::bigint) from 3) from 1), 52, 1), 53, 1),
        'hex')::uuid;

-- Milliseconds of 1970 as the smallest UUIDv7 of that instant.
create function bench.uuid_first(ms bigint) returns uuid
    language sql immutable parallel safe
    return encode(int8send((ms << 16) | 28672) || '\x8000000000000000', 'hex')::uuid;

create function bench.us_of(at timestamptz) returns bigint
    language sql immutable parallel safe
    return case when at = 'infinity' then 9223372036854775807
           else (extract(epoch from at) * 1000000)::bigint - 946684800000000 end;

create type bench.answer as (
    code smallint, -- loyal.v1.ResultCode
    recorded boolean,
    points bigint,
    debt_repaid bigint,
    balance bigint,
    debt bigint,
    expires_at timestamptz
);

-- What an entry of an earn answers, from its legs.
create function bench.answer_of(e_points bigint, e_balance bigint, e_debt bigint, legs bigint[], p_recorded boolean,
                                p_code integer) returns bench.answer
    language plpgsql stable as $$
declare
    r bench.answer;
    left_of bigint := 0;
begin
    r.code := p_code;
    r.recorded := p_recorded;
    r.points := e_points;
    r.balance := e_balance;
    r.debt := e_debt;
    r.debt_repaid := 0;
    for k in 0 .. cardinality(legs) / 8 - 1 loop
        if legs[8 * k + 1] = 1 then
            left_of := left_of + legs[8 * k + 6];
            r.expires_at := loyal.leg_instant(legs[8 * k + 8]);
        elsif legs[8 * k + 1] = 4 then
            r.debt_repaid := r.debt_repaid + legs[8 * k + 6];
        end if;
    end loop;
    if left_of <= r.debt_repaid or r.expires_at = 'infinity' then
        r.expires_at := null;
    end if;
    return r;
end
$$;

-- Not in it, since no request of the bench needs it: lots that are past their expiry (it stops with an error) and sums
-- that leave 64 bits (likewise).
create function bench.earn(
        p_key uuid, p_body_hash bytea, p_now timestamptz, p_card text, p_merchant integer, p_store integer,
        p_terminal integer, p_channel smallint, p_currency text, p_till text, p_receipt text, p_part integer,
        p_business_date integer, p_occurred_at timestamptz, p_amount bigint, p_paid bigint,
        p_product text, p_category text, p_quantity bigint, p_line_amount bigint)
    returns bench.answer
    language plpgsql as $$
declare
    m record;
    e record;
    f record;
    is_twin boolean;
    r bench.answer;
    key_bytes constant bytea := uuid_send(p_key);
    key_high constant bigint := ('x' || encode(substring(key_bytes for 8), 'hex'))::bit(64)::bigint;
    key_ms constant bigint := (key_high >> 16) & 281474976710655;
    v_now timestamptz := p_now;
    now_ms bigint;
    since_ms bigint;
    v_rule integer := 0;
    v_num integer := 0;
    v_den integer := 1;
    v_months integer := 0;
    v_points bigint := 0;
    v_repaid bigint := 0;
    v_owed bigint := 0;
    v_rest bigint;
    v_legs bigint[] := '{}';
    v_lot bigint[];
    v_salt bytea;
    v_facts bytea;
    v_chain bytea;
    v_expires timestamptz;
begin
    select x.bucket, x.member_id, x.available, x.debt, x.seq, x.chain, x.decided_at, x.next_change_at into m
    from loyal.identifier i join loyal.member x on x.bucket = i.bucket and x.member_id = i.member_id
    where i.identifier_hash = bench.identifier_hash(p_card)
    for no key update of x;
    if not found then
        r.code := 15;
        return r;
    end if;
    if m.decided_at > v_now then
        v_now := m.decided_at;
    end if;
    now_ms := (date_part('epoch', v_now) * 1000)::bigint;

    -- The key, and the receipt since its business date (R32, R34), by one probe of the journal's primary key.
    since_ms := (date_part('epoch', make_timestamptz(p_business_date / 10000, p_business_date / 100 % 100,
                                                     p_business_date % 100, 0, 0, 0)) * 1000)::bigint - 86400000;
    select x.id, x.kind, x.merchant_id, x.body_hash, x.points, x.balance, x.debt, x.legs, x.till, x.store_id, x.part,
           x.business_date, x.amount_minor into e
    from loyal.entry x
    where x.bucket = m.bucket and x.member_id = m.member_id
      and x.id >= bench.uuid_first(least(since_ms, key_ms))
      and x.id <= bench.uuid_first(greatest(now_ms + 87000000, key_ms + 1))
      and (x.id = p_key or p_receipt <> '' and x.receipt = p_receipt)
    order by x.id <> p_key limit 1;
    is_twin := found;
    if is_twin and e.id = p_key then
        if e.merchant_id <> p_merchant or e.kind <> 2 or e.body_hash <> p_body_hash then
            r.code := 16;
            return r;
        end if;
        return bench.answer_of(e.points, e.balance, e.debt, e.legs, true, 1);
    end if;
    select x.merchant_id, x.code, x.body_hash, x.balance, x.debt, x.original into f
    from loyal.refusal x
    where x.bucket = m.bucket and x.member_id = m.member_id and x.key = p_key
    order by x.merchant_id <> p_merchant, x.body_hash is null limit 1;
    if found then
        if f.merchant_id <> p_merchant and f.body_hash is not null or f.body_hash <> p_body_hash then
            r.code := 16;
            return r;
        elsif f.merchant_id = p_merchant then
            if f.code = 23 and is_twin and e.id = f.original then
                return bench.answer_of(e.points, e.balance, e.debt, e.legs, true, 23);
            end if;
            r.code := f.code;
            r.recorded := true;
            r.balance := f.balance;
            r.debt := f.debt;
            return r;
        end if;
    end if;
    if key_ms > now_ms + 600000 or key_ms < now_ms - 3024000000 then
        r.code := case when key_ms > now_ms then 17 else 18 end;
        return r;
    end if;
    if m.next_change_at <= v_now then
        raise exception 'lots past their expiry are not in the baseline';
    end if;
    if is_twin then
        is_twin := e.merchant_id = p_merchant and e.kind = 2 and e.store_id = p_store and e.part = p_part
            and e.business_date = p_business_date and e.till = p_till
            and not exists (select from loyal.entry x where x.bucket = m.bucket and x.member_id = m.member_id
                            and x.original = e.id having sum(x.amount_minor) >= e.amount_minor);
    end if;
    if is_twin then
        insert into loyal.refusal (bucket, member_id, key, merchant_id, code, kind, decided_at, balance, debt, original,
                                   body_hash, store_id, terminal_id, occurred_at, amount_minor, points)
        values (m.bucket, m.member_id, p_key, p_merchant, 23, 2, v_now, e.balance, e.debt, e.id,
                p_body_hash, p_store, p_terminal, p_occurred_at, p_amount, 0);
        return bench.answer_of(e.points, e.balance, e.debt, e.legs, false, 23);
    end if;

    select x.rule_version, x.numerator, x.denominator, x.lifetime_months into v_rule, v_num, v_den, v_months
    from loyal.rule x
    where x.merchant_id = p_merchant and x.valid_from <= timezone('Europe/London', p_occurred_at)::date
    order by x.valid_from desc, x.rule_version desc limit 1;
    if v_rule is not null then
        v_points := greatest(p_amount - p_paid, 0) * v_num / v_den;
    else
        v_rule := 0;
    end if;
    if v_points > 0 then
        v_expires := case when v_months = 0 then 'infinity'
            else timezone('Europe/London', ((timezone('Europe/London', p_occurred_at)::date
                                             + make_interval(months => v_months))::date + 1)::timestamp) end;
        v_lot := array[1, key_high, ('x' || encode(substring(key_bytes from 9), 'hex'))::bit(64)::bigint, 1, p_merchant,
                       v_points, bench.us_of(p_occurred_at), bench.us_of(v_expires)];
        v_legs := v_lot;
        if m.debt > 0 then
            select x.points into v_owed from loyal.debt x
            where x.bucket = m.bucket and x.member_id = m.member_id and x.issuer = p_merchant;
            v_repaid := least(coalesce(v_owed, 0), v_points);
            if v_repaid > 0 then
                v_lot[1] := 4;
                v_lot[6] := v_repaid;
                v_legs := v_legs || v_lot;
                if v_repaid = v_owed then
                    delete from loyal.debt x
                    where x.bucket = m.bucket and x.member_id = m.member_id and x.issuer = p_merchant;
                else
                    update loyal.debt x set points = x.points - v_repaid
                    where x.bucket = m.bucket and x.member_id = m.member_id and x.issuer = p_merchant;
                end if;
            end if;
        end if;
        v_rest := v_points - v_repaid;
        if v_rest > 0 and v_expires <= v_now then
            v_lot[1] := 5;
            v_lot[6] := v_rest;
            v_legs := v_legs || v_lot;
            v_rest := 0;
        elsif v_rest > 0 then
            insert into loyal.lot (bucket, member_id, entry_id, number, issuer, points, earned_at, expires_at)
            values (m.bucket, m.member_id, p_key, 1, p_merchant, v_rest, p_occurred_at, v_expires);
            m.next_change_at := least(m.next_change_at, v_expires);
        end if;
        m.available := m.available + v_rest;
        m.debt := m.debt - v_repaid;
    end if;

    -- Hashes as migrations/deploy/check.sql defines them, written out: a call of a function with a whole row costs more.
    v_salt := uuid_send(gen_random_uuid());
    v_facts := sha256(v_salt || int4send(p_store) || int4send(p_terminal) || int2send(p_channel)
        || int4send(octet_length(p_till)) || convert_to(p_till, 'UTF8')
        || int4send(octet_length(p_receipt)) || convert_to(p_receipt, 'UTF8')
        || int4send(p_part) || int4send(p_business_date) || timestamptz_send(p_occurred_at) || int8send(p_amount)
        || int8send(p_paid) || int4send(octet_length(p_currency)) || convert_to(p_currency, 'UTF8')
        || int4send(octet_length(p_product)) || convert_to(p_product, 'UTF8')
        || int4send(octet_length(p_category)) || convert_to(p_category, 'UTF8')
        || int8send(p_quantity) || int8send(p_line_amount) || int8send(v_points));
    v_chain := sha256(m.chain || int2send(m.bucket) || int8send(m.member_id) || key_bytes || int8send(m.seq + 1)
        || timestamptz_send(v_now) || '\x0002'::bytea || int4send(p_merchant) || int8send(v_points)
        || int8send(m.available) || int8send(m.debt) || int4send(v_rule) || array_send(v_legs)
        || '\x00000000000000000000000000000000'::bytea || p_body_hash || v_facts);

    insert into loyal.entry (bucket, member_id, id, seq, decided_at, kind, merchant_id, points, balance, debt,
        rule_version, legs, body_hash, facts_hash, chain, salt, store_id, terminal_id, channel, till, receipt, part,
        business_date, occurred_at, amount_minor, paid_in_points_minor, currency)
    values (m.bucket, m.member_id, p_key, m.seq + 1, v_now, 2, p_merchant, v_points, m.available, m.debt,
        v_rule, v_legs, p_body_hash, v_facts, v_chain, v_salt, p_store, p_terminal, p_channel, p_till, p_receipt, p_part,
        p_business_date, p_occurred_at, p_amount, p_paid, p_currency);
    insert into loyal.basket_line (bucket, member_id, entry_id, number, product, category, quantity_milli,
                                   amount_minor, points)
    values (m.bucket, m.member_id, p_key, 1, p_product, p_category, p_quantity, p_line_amount, v_points);
    update loyal.member x set available = m.available, debt = m.debt, seq = m.seq + 1, chain = v_chain,
                              decided_at = v_now, next_change_at = m.next_change_at
    where x.bucket = m.bucket and x.member_id = m.member_id;

    r.code := 1;
    r.recorded := false;
    r.points := v_points;
    r.debt_repaid := v_repaid;
    r.balance := m.available;
    r.debt := m.debt;
    if v_points > v_repaid and v_expires <> 'infinity' then
        r.expires_at := v_expires;
    end if;
    return r;
end
$$;

grant execute on all functions in schema bench to loyal_daemon, loyal_auditor;
commit;
