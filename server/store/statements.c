/* Owns the SQL of the daemon: every statement it sends, prepared once a connection. No SQL of ours
 * asks for the time: it is a parameter.
 *
 * Posting statements work on a whole batch: arrays in, joined through unnest. A write that must
 * touch just so many rows carries a guard, 1 / (count = expected): the transaction dies with
 * division by zero (22012), which nothing else here can raise, when it did not. */
#include "store/statements.h"

#include "store/sql.h"

#define ENTRY_COLUMNS                                                                              \
    "e.member_id, e.id, e.seq, e.decided_at, e.kind, e.merchant_id, e.points, e.balance, e.debt, " \
    "e.rule_version, e.legs, e.original, e.body_hash, e.store_id, e.till, e.receipt, e.part, "     \
    "e.business_date, e.occurred_at, e.amount_minor, e.paid_in_points_minor"

/* Of a row a of pg_stat_activity: null of another role's. */
#define BACKEND "(',' || a.pid || '/' || extract(epoch from a.backend_start) || ',')"

/* What is looked up for each element of the arrays before it: offset 0 keeps the planner from
 * turning the join around, whatever it knows of the table. */
#define EACH(select) "lateral (" select " offset 0) "

/* A list of a merchant that does not exist is one row that begins with ''. */
#define OR_NO_MERCHANT(list, row)      \
    "(" list ") union all select " row \
    " where not exists (select from loyal.merchant where code = $1)"

/* The last parameter is how many rows must have been touched. */
#define GUARDED(write, expected) \
    "with done as (" write " returning 1) select 1 / (count(*) = " expected ")::int from done"

static const char *const STATEMENTS[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "begin isolation level read committed",
    [STATEMENT_COMMIT] = "commit",
    [STATEMENT_ROLLBACK] = "rollback",

    /* hashes, their numbers -> number, member_id */
    [STATEMENT_RESOLVE] =
        "select k.n, i.member_id from unnest($1::bytea[], $2::int[]) k(hash, n) "
        "cross join " EACH("select * from loyal.identifier i where i.identifier_hash = k.hash") "i",
    /* Nothing but the members' rows: what waits for a lock reads all else as of before the wait.
     * The nested loop keeps the order of the arrays, in which everybody locks. */
    [STATEMENT_MEMBERS_LOCK] =
        "select m.member_id, m.available, m.debt, m.seq, m.chain, m.decided_at, m.next_change_at, "
        "m.status, false from unnest($1::smallint[], $2::bigint[]) k(bucket, member_id) "
        "join loyal.member m on m.bucket = k.bucket and m.member_id = k.member_id "
        "for no key update of m",
    /* The same without a wait. The last column: he is there, and another holds him. */
    [STATEMENT_MEMBERS_TRY] =
        "select k.member_id, m.available, m.debt, m.seq, m.chain, m.decided_at, "
        "m.next_change_at, m.status, m.member_id is null "
        "from unnest($1::smallint[], $2::bigint[]) k(bucket, member_id) left join lateral "
        "(select * from loyal.member m where m.bucket = k.bucket and m.member_id = k.member_id "
        "for no key update skip locked) m on true where m.member_id is not null or exists "
        "(select from loyal.member m where m.bucket = k.bucket and m.member_id = k.member_id)",
    /* By key, and by receipt since its business date (R34), with reversals since then, which may
     * have freed the receipt; $7, $8 bound all ids, for the choice of partitions. */
    [STATEMENT_ENTRIES_FIND] =
        "select e.* from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::uuid[], $5::uuid[], "
        "$6::text[]) k(bucket, member_id, key, since, until, receipt) cross join " EACH(
            "select " ENTRY_COLUMNS " from loyal.entry e where e.bucket = k.bucket "
            "and e.member_id = k.member_id and e.id >= k.since and e.id <= k.until "
            "and e.id >= $7 and e.id <= $8 and (e.id = k.key or k.receipt <> '' "
            "and (e.receipt = k.receipt or e.original is not null))") "e",
    /* The originals of reversals, between $4 and $5, and what reversed them before. */
    [STATEMENT_REVERSALS_FIND] =
        "select e.* from unnest($1::smallint[], $2::bigint[], $3::uuid[]) "
        "k(bucket, member_id, original) cross join " EACH(
            "select " ENTRY_COLUMNS " from loyal.entry e where e.bucket = k.bucket "
            "and e.member_id = k.member_id and e.id = k.original and e.id >= $4 and e.id <= $5 "
            "union all "
            "select " ENTRY_COLUMNS " from loyal.entry e where e.bucket = k.bucket "
            "and e.member_id = k.member_id and e.original = k.original") "e",
    [STATEMENT_REFUSALS_FIND] =
        "select r.* from unnest($1::smallint[], $2::bigint[], $3::uuid[]) "
        "k(bucket, member_id, key) cross join " EACH(
            "select r.member_id, r.key, r.merchant_id, r.code, r.kind, r.decided_at, r.balance, "
            "r.debt, r.original, r.body_hash, r.amount_minor, r.points from loyal.refusal r "
            "where r.bucket = k.bucket and r.member_id = k.member_id and r.key = k.key") "r",
    [STATEMENT_LOTS_READ] =
        "select l.* from unnest($1::smallint[], $2::bigint[]) k(bucket, member_id) cross "
        "join " EACH("select l.member_id, l.entry_id, l.number, l.issuer, l.points, l.earned_at, "
                     "l.expires_at from loyal.lot l "
                     "where l.bucket = k.bucket and l.member_id = k.member_id") "l",
    [STATEMENT_DEBTS_READ] =
        "select d.* from unnest($1::smallint[], $2::bigint[]) k(bucket, member_id) cross "
        "join " EACH("select d.member_id, d.issuer, d.points from loyal.debt d "
                     "where d.bucket = k.bucket and d.member_id = k.member_id") "d",
    [STATEMENT_EPOCH_READ] = "select epoch from loyal.reference_epoch",

    [STATEMENT_MEMBERS_INSERT] = GUARDED(
        "insert into loyal.member (bucket, member_id, available, debt, seq, chain, decided_at, "
        "next_change_at, status) select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], "
        "$4::bigint[], $5::bigint[], $6::bytea[], $7::timestamptz[], $8::timestamptz[], "
        "$9::smallint[]) on conflict do nothing",
        "$10"),
    /* $10: the seq under which each was read */
    [STATEMENT_MEMBERS_UPDATE] = GUARDED(
        "update loyal.member m set available = k.available, debt = k.debt, seq = k.seq, "
        "chain = k.chain, decided_at = k.decided_at, next_change_at = k.next_change_at, "
        "status = k.status "
        "from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], "
        "$6::bytea[], $7::timestamptz[], $8::timestamptz[], $9::smallint[], $10::bigint[]) "
        "k(bucket, member_id, available, debt, seq, chain, decided_at, next_change_at, status, "
        "expected) where m.bucket = k.bucket and m.member_id = k.member_id and m.seq = k.expected",
        "$11"),
    [STATEMENT_IDENTIFIERS_INSERT] =
        GUARDED("insert into loyal.identifier (identifier_hash, key_version, bucket, member_id) "
                "select * from unnest($1::bytea[], $2::smallint[], $3::smallint[], $4::bigint[]) "
                "on conflict do nothing",
                "$5"),
    /* $15: all legs of the batch one after the other; $16, $17: an entry's first and last, from 1
     */
    [STATEMENT_ENTRIES_INSERT] =
        "insert into loyal.entry (bucket, member_id, id, seq, decided_at, kind, merchant_id, "
        "points, "
        "balance, debt, rule_version, original, body_hash, facts_hash, chain, legs, salt, "
        "store_id, "
        "terminal_id, channel, till, receipt, part, business_date, occurred_at, amount_minor, "
        "paid_in_points_minor, currency) "
        "select k.bucket, k.member_id, k.id, k.seq, k.decided_at, k.kind, k.merchant_id, k.points, "
        "k.balance, k.debt, k.rule_version, k.original, k.body_hash, k.facts_hash, k.chain, "
        "($29::bigint[])[k.leg_first:k.leg_last], k.salt, k.store_id, k.terminal_id, k.channel, "
        "k.till, k.receipt, k.part, k.business_date, k.occurred_at, k.amount_minor, "
        "k.paid_in_points_minor, k.currency "
        "from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::bigint[], $5::timestamptz[], "
        "$6::smallint[], $7::int[], $8::bigint[], $9::bigint[], $10::bigint[], $11::int[], "
        "$12::uuid[], $13::bytea[], $14::bytea[], $15::bytea[], $16::int[], $17::int[], "
        "$18::bytea[], $19::int[], $20::int[], $21::smallint[], $22::text[], $23::text[], "
        "$24::int[], $25::int[], $26::timestamptz[], $27::bigint[], $28::bigint[], $30::text[]) "
        "k(bucket, member_id, id, seq, decided_at, kind, merchant_id, points, balance, debt, "
        "rule_version, original, body_hash, facts_hash, chain, leg_first, leg_last, salt, "
        "store_id, "
        "terminal_id, channel, till, receipt, part, business_date, occurred_at, amount_minor, "
        "paid_in_points_minor, currency)",
    [STATEMENT_LINES_INSERT] =
        "insert into loyal.basket_line (bucket, member_id, entry_id, number, product, category, "
        "quantity_milli, amount_minor, points) select * from unnest($1::smallint[], $2::bigint[], "
        "$3::uuid[], $4::smallint[], $5::text[], $6::text[], $7::bigint[], $8::bigint[], "
        "$9::bigint[])",
    [STATEMENT_REFUSALS_INSERT] =
        "insert into loyal.refusal (bucket, member_id, key, merchant_id, code, kind, decided_at, "
        "balance, debt, original, body_hash, store_id, terminal_id, occurred_at, amount_minor, "
        "points) select * from unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::int[], "
        "$5::smallint[], $6::smallint[], $7::timestamptz[], $8::bigint[], $9::bigint[], "
        "$10::uuid[], $11::bytea[], $12::int[], $13::int[], $14::timestamptz[], $15::bigint[], "
        "$16::bigint[])",
    [STATEMENT_LOTS_INSERT] =
        "insert into loyal.lot (bucket, member_id, entry_id, number, issuer, points, earned_at, "
        "expires_at) select * from unnest($1::smallint[], $2::bigint[], $3::uuid[], "
        "$4::smallint[], "
        "$5::int[], $6::bigint[], $7::timestamptz[], $8::timestamptz[])",
    [STATEMENT_LOTS_UPDATE] = GUARDED(
        "update loyal.lot l set points = k.points from unnest($1::smallint[], $2::bigint[], "
        "$3::uuid[], $4::smallint[], $5::bigint[]) k(bucket, member_id, entry_id, number, "
        "points) where l.bucket = k.bucket and l.member_id = k.member_id "
        "and l.entry_id = k.entry_id and l.number = k.number",
        "$6"),
    [STATEMENT_LOTS_DELETE] =
        GUARDED("delete from loyal.lot l using unnest($1::smallint[], $2::bigint[], $3::uuid[], "
                "$4::smallint[]) k(bucket, member_id, entry_id, number) where l.bucket = k.bucket "
                "and l.member_id = k.member_id and l.entry_id = k.entry_id and l.number = k.number",
                "$5"),
    [STATEMENT_DEBTS_UPSERT] =
        "insert into loyal.debt (bucket, member_id, issuer, points) select * from "
        "unnest($1::smallint[], $2::bigint[], $3::int[], $4::bigint[]) "
        "on conflict (bucket, member_id, issuer) do update set points = excluded.points",
    [STATEMENT_DEBTS_DELETE] =
        GUARDED("delete from loyal.debt d using unnest($1::smallint[], $2::bigint[], $3::int[]) "
                "k(bucket, member_id, issuer) where d.bucket = k.bucket "
                "and d.member_id = k.member_id and d.issuer = k.issuer",
                "$4"),
    [STATEMENT_GRANTS_END] =
        "update loyal.consent c set ended_at = least(k.at, c.until_at), end_kind = 3 "
        "from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) k(bucket, member_id, at) "
        "where c.bucket = k.bucket and c.member_id = k.member_id and c.ended_at is null",
    [STATEMENT_LEASE_GUARD] = "select 1 / (count(*) = 1)::int from loyal.lease "
                              "where name = 'maintenance' and holder = $1 and epoch = $2",

    /* R21: a balance is what has not expired, whatever the books say. $4: the instant */
    [STATEMENT_LOOKUP] =
        "select k.n, m.member_id, case when m.next_change_at > $5 then "
        "m.available else "
        "(select coalesce(sum(l.points), 0)::bigint from loyal.lot l where "
        "l.bucket = m.bucket "
        "and l.member_id = m.member_id and l.expires_at > $5) end, m.debt "
        "from (select k.n, coalesce(i.member_id, k.member_id) as member_id "
        "from unnest($1::bytea[], $2::bigint[], $3::int[]) k(hash, member_id, n) "
        "left join " EACH("select * from loyal.identifier i where "
                          "i.identifier_hash = k.hash") "i on true offset 0) "
                                                        "k cross join " EACH("select * from "
                                                                             "loyal.member m where "
                                                                             "m.bucket = "
                                                                             "(k.member_id & "
                                                                             "$4::bigint)::"
                                                                             "smallint "
                                                                             "and m.member_id = "
                                                                             "k.member_id and "
                                                                             "m.status <> 4") "m",

    [STATEMENT_REFERENCE_READ] =
        "with barred as materialized (select subject, subject_id from loyal.standing "
        "where standing <> 1), "
        "good as materialized (select terminal_id, array_to_string((array_agg("
        "encode(certificate_sha256, 'hex') order by number desc))[:2], ' ') as certificates "
        "from loyal.terminal_certificate group by terminal_id) "
        "select 'e', epoch::text, null, null, null, null, null, null from loyal.reference_epoch "
        "union all select 'm', merchant_id::text, code, name, currency, null, null, null "
        "from loyal.merchant "
        "union all select 's', store_id::text, merchant_id::text, code, name, null, null, null "
        "from loyal.store s where not exists (select from barred b where b.subject = 2 "
        "and b.subject_id = s.store_id) "
        "union all select 't', terminal_id::text, merchant_id::text, code, "
        "coalesce(store_id, 0)::text, channel::text, coalesce(certificates, ''), "
        "(active and not exists (select from barred b where b.subject = 1 and b.subject_id = "
        "t.merchant_id or b.subject = 2 and b.subject_id = t.store_id or b.subject = 3 "
        "and b.subject_id = t.terminal_id))::int::text from loyal.terminal t "
        "left join good using (terminal_id) "
        "union all select 'o', operator_id::text, name, encode(certificate_sha256, 'hex'), "
        "(active and not exists (select from barred b where b.subject = 4 and b.subject_id = "
        "o.operator_id))::int::text, null, null, null from loyal.operator o "
        "union all select 'r', r.rule_version::text, merchant_id::text, "
        "to_char(valid_from, 'YYYYMMDD'), numerator::text, denominator::text, "
        "lifetime_months::text, null from loyal.rule r",
    [STATEMENT_SCHEMA_READ] =
        "select version, current_setting('synchronous_commit'), (select " BACKEND " from "
        "pg_stat_activity a where a.pid = pg_backend_pid()), (select coalesce(string_agg(" BACKEND
        ", ''), '') from pg_stat_activity a where case when strpos($1::text, " BACKEND ") > 0 then "
        "pg_terminate_backend(a.pid) end) from loyal.schema_version",

    /* Operators' changes raise the epoch first, which makes them wait for each other. */
    [STATEMENT_MERCHANT_ADD] =
        "with raised as (update loyal.reference_epoch set epoch = epoch + 1 returning epoch), "
        "added as (insert into loyal.merchant select coalesce(max(m.merchant_id), 0) + 1, $1, $2, "
        "$3 "
        "from raised left join loyal.merchant m on true on conflict (code) do nothing returning 1) "
        "select case when exists (select from added) then 'added' when exists (select from "
        "loyal.merchant where code = $1 and name = $2 and currency = $3) then 'same' "
        "else 'differs' end",
    [STATEMENT_MERCHANTS_LIST] = "select code, name, currency, " STANDING_OF(
        "1", "merchant_id") " from loyal.merchant "
                            "where code > $1 order by code limit $2::int",
    [STATEMENT_STORES_ADD] =
        "with raised as (update loyal.reference_epoch set epoch = epoch + 1 returning epoch), "
        "wanted as (select k.*, m.merchant_id, s.name as known from unnest($1::text[], $2::text[], "
        "$3::text[]) k(merchant, code, name) left join loyal.merchant m on m.code = k.merchant "
        "left join loyal.store s on s.merchant_id = m.merchant_id and s.code = k.code), "
        "verdict as (select count(*) filter (where merchant_id is null) as strangers, "
        "count(*) filter (where known <> name) as others from wanted), "
        "added as (insert into loyal.store select (select coalesce(max(store_id), 0) from "
        "loyal.store, raised) + row_number() over (), merchant_id, code, name from (select "
        "distinct "
        "merchant_id, code, name from wanted where known is null) w, verdict v "
        "where v.strangers = 0 and v.others = 0 returning 1) "
        "select (select count(*) from added), strangers, others from verdict",
    [STATEMENT_STORES_LIST] = OR_NO_MERCHANT(
        "select m.code, s.code, s.name, " STANDING_OF(
            "2", "s.store_id") " from loyal.store s join "
                               "loyal.merchant m using (merchant_id) "
                               "where m.code = $1 and s.code > $2 order by s.code limit $3::int",
        "'', '', '', 1::smallint"),
    [STATEMENT_TERMINAL_ADD] =
        "with raised as (update loyal.reference_epoch set epoch = epoch + 1 returning epoch), "
        "wanted as (select m.merchant_id, s.store_id, $3 <> '' and s.store_id is null as lost "
        "from loyal.merchant m left join loyal.store s on s.merchant_id = m.merchant_id "
        "and s.code = $3 where m.code = $1), "
        "added as (insert into loyal.terminal (terminal_id, merchant_id, code, store_id, channel, "
        "certificate_sha256) select (select coalesce(max(terminal_id), 0) + 1 from loyal.terminal, "
        "raised), merchant_id, $2, store_id, $4::smallint, decode($5, 'hex') from wanted "
        "where not lost on conflict do nothing returning 1) "
        "select case when exists (select from added) then 'added' "
        "when not exists (select from wanted) then 'no_merchant' "
        "when (select lost from wanted) then 'no_store' "
        "when exists (select from loyal.terminal t, wanted w where t.merchant_id = w.merchant_id "
        "and t.code = $2 and t.store_id is not distinct from w.store_id "
        "and t.channel = $4::smallint and exists (select from loyal.terminal_certificate c where "
        "c.terminal_id = t.terminal_id and c.certificate_sha256 = decode($5, 'hex'))) then 'same' "
        "else 'differs' end",
    [STATEMENT_TERMINALS_LIST] = OR_NO_MERCHANT(
        "select m.code, t.code, coalesce(s.code, ''), t.channel, coalesce(encode(c.good[1], "
        "'hex'), ''), " STANDING_OF(
            "3", "t.terminal_id") ", coalesce(encode(c.good[2], 'hex'), '') "
                                  "from loyal.terminal t join loyal.merchant m using (merchant_id) "
                                  "left join loyal.store s using (store_id), lateral (select "
                                  "array_agg(k.certificate_sha256 order by k.number desc) as good "
                                  "from loyal.terminal_certificate k where k.terminal_id = "
                                  "t.terminal_id) c where m.code = $1 and t.code > $2 "
                                  "order by t.code limit $3::int",
        "'', '', '', 0::smallint, '', 1::smallint, ''"),
    [STATEMENT_RATE_SET] =
        "with raised as (update loyal.reference_epoch set epoch = epoch + 1 returning epoch), "
        "wanted as (select merchant_id, to_date($5, 'YYYYMMDD') as day, $2::int as numerator, "
        "$3::int as denominator, $4::int as months from loyal.merchant where code = $1), "
        "last as (select r.* from loyal.rule r join wanted w using (merchant_id) "
        "where r.valid_from <= w.day order by r.valid_from desc, r.rule_version desc limit 1), "
        "same as (select l.rule_version from last l, wanted w where (l.valid_from, l.numerator, "
        "l.denominator, l.lifetime_months) = (w.day, w.numerator, w.denominator, w.months)), "
        "added as (insert into loyal.rule select (select coalesce(max(rule_version), 0) + 1 from "
        "loyal.rule, raised), merchant_id, day, numerator, denominator, months from wanted "
        "where not exists (select from same) returning rule_version) "
        "select 'added', rule_version from added union all select 'same', rule_version from same "
        "union all select 'no_merchant', 0 where not exists (select from wanted)",
    [STATEMENT_RATES_LIST] = OR_NO_MERCHANT(
        "select m.code, r.numerator, r.denominator, r.lifetime_months, "
        "to_char(r.valid_from, 'YYYYMMDD') from loyal.rule r join loyal.merchant m "
        "using (merchant_id) where m.code = $1 order by r.valid_from, r.rule_version",
        "'', 0, 0, 0, ''"),
    [STATEMENT_OWED_LIST] =
        "select i.code, r.code, o.points from loyal.owed_points() o join loyal.merchant i "
        "on i.merchant_id = o.issuer join loyal.merchant r on r.merchant_id = o.redeemer "
        "order by i.code, r.code",
    [STATEMENT_SUMS_CHECK] =
        "select m.code, s.issued, s.available, s.redeemed, s.expired, s.clawed_back, s.debt, "
        "s.forfeited "
        "from loyal.issuer_sums($1::int, $2::int, to_timestamp(0) + $3::bigint * interval '1 us') "
        "s "
        "join loyal.merchant m on m.merchant_id = s.issuer order by m.code",
    [STATEMENT_FINDINGS_CHECK] =
        "select coalesce(to_hex(f.member_id), ''), f.row_name, f.what, f.total from "
        "loyal.findings($1::int, $2::int, to_timestamp(0) + $3::bigint * interval '1 us', 100) f",
    [STATEMENT_COUNTS_CHECK] =
        "select (select count(*) from loyal.member where bucket between $1::int and $2::int), "
        "(select count(*) from loyal.entry where bucket between $1::int and $2::int)",

    /* The lease, in real time: taken when free, when over, or when held by this process already. */
    [STATEMENT_LEASE_TAKE] =
        "update loyal.lease set holder = $1, epoch = epoch + (holder <> $1)::int, "
        "until = to_timestamp(0) + $3::bigint * interval '1 us' where name = 'maintenance' "
        "and (holder = $1 or until < to_timestamp(0) + $2::bigint * interval '1 us') "
        "returning epoch",
    [STATEMENT_PARTITIONS_MAKE] =
        "select loyal.partitions_make(to_date($1, 'YYYYMMDD'), to_date($2, 'YYYYMMDD'))",
    [STATEMENT_REFUSALS_DROP] =
        "select loyal.refusals_drop(to_timestamp(0) + $1::bigint * interval '1 us')",
    [STATEMENT_MEMBERS_DUE] =
        "select member_id from loyal.member where bucket between $1::int and $2::int "
        "and next_change_at <= to_timestamp(0) + $3::bigint * interval '1 us' limit $4::int",
};

const char *statement_text(enum statement_id id)
{
    return STATEMENTS[id] ? STATEMENTS[id] : network_statement_text(id);
}
