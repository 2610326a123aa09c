/* Owns the SQL of grants, of purchases elsewhere and of the records about a member. All of it takes
 * and gives text; see statements.h for parameters and columns. Whoever shows rows records that he
 * did in the same statement, so that no page is sent without its disclosure (R40). */
#include "store/sql.h"

/* Purchases p that match the filter in $6 to $13. What is masked is null and matches nothing. */
#define FILTER                                                                         \
    "($6::int[] is null or p.merchant_id = any ($6::int[])) "                          \
    "and ($7::text[] is null or exists (select from loyal.line_elsewhere l "           \
    "where l.bucket = p.bucket and l.member_id = p.member_id and l.entry_id = p.id "   \
    "and l.category = any ($7::text[]))) "                                             \
    "and ($8::int is null or p.business_date >= $8::int) "                             \
    "and ($9::int is null or p.business_date <= $9::int) "                             \
    "and ($10::bigint is null or p.currency = $12 and p.amount_minor >= $10::bigint) " \
    "and ($11::bigint is null or p.currency = $12 and p.amount_minor <= $11::bigint) " \
    "and ($13::smallint[] is null or p.channel = any ($13::smallint[]))"
#define IS_OPEN                                                                        \
    "num_nonnulls($6::int[], $7::text[], $8::int, $9::int, $10::bigint, $11::bigint, " \
    "$13::smallint[]) = 0"
#define LINES_OF(purchase)                                                                      \
    "case when " purchase ".fields & 4 <> 0 then (select json_agg(json_build_array(l.product, " \
    "l.category, l.quantity_milli, coalesce(l.amount_minor, 0)) order by l.number) "            \
    "from loyal.line_elsewhere l where l.bucket = " purchase ".bucket "                         \
    "and l.member_id = " purchase ".member_id and l.entry_id = " purchase ".id) end"
/* Of a page, so that it fits into a frame: it ends before what goes past, purchase or member. */
#define LINES_MAX "4000"
#define SHOWN_PURCHASE                                                                    \
    "s.id, s.kind, s.fields, s.merchant_id, s.business_date, s.channel, s.amount_minor, " \
    "s.currency, s.points, s.lines, s.seq"

/* After place $1, member $2. */
#define CANDIDATES                                                                          \
    "from loyal.member_granting m where (m.place, m.member_id) > ($1::bigint, $2::bigint) " \
    "order by m.place, m.member_id"

/* SQL is laid out by hand. */
/* clang-format off */
/* Of a journal's entry e with store s, terminal t, merchant m. */
#define ENTRY_SHOWN \
    "e.member_id, e.id, e.kind, " US("e.decided_at") ", coalesce(m.code, ''), e.points, " \
    "e.balance, e.debt, e.original, (e.salt is null)::int, coalesce(s.code, ''), e.till, " \
    "e.receipt, e.part, e.business_date, " US("e.occurred_at") ", coalesce(t.code, ''), " \
    "e.channel, e.amount_minor, e.paid_in_points_minor, e.currency, (select " \
    "json_agg(json_build_array(l.product, l.category, l.quantity_milli, l.amount_minor) order " \
    "by l.number) from loyal.basket_line l where l.bucket = e.bucket and l.member_id = " \
    "e.member_id and l.entry_id = e.id and e.salt is not null), e.seq, " \
    "((select count(*) from page) > (select count(*) from shown))::int"
/* Of the entries e of a page and the one behind it: how many there are, and lines, up to each. */
#define ENTRIES_SO_FAR(order) \
    "row_number() over (order by " order ") as n, sum((select count(*) from loyal.basket_line l " \
    "where l.bucket = e.bucket and l.member_id = e.member_id and l.entry_id = e.id)) over " \
    "(order by " order ") as line_sum"
#define ENTRIES_OF_PAGE(rows) \
    "shown as materialized (select * from page where n <= " rows " and (line_sum <= " LINES_MAX \
    " or n = 1))"
#define ENTRY_JOINS                                                \
    "left join loyal.merchant m on m.merchant_id = e.merchant_id " \
    "left join loyal.store s on s.store_id = e.store_id "          \
    "left join loyal.terminal t on t.terminal_id = e.terminal_id"

static const char *const STATEMENTS[STATEMENT_COUNT] = {
    /* Readers of the epoch keep a lock on its table until they end; this waits for them all, so
     * that nothing decided on the old reference commits after what follows. */
    [STATEMENT_REFERENCE_LOCK] =
        "lock table loyal.reference_epoch in access exclusive mode",
    [STATEMENT_EPOCH_GUARD] =
        "select 1 / (epoch = $1::bigint)::int from loyal.reference_epoch",
    /* What is known of the key comes before what is wrong with a new one (R35). The key is left
     * among the refusals, too, where a posting looks for it. */
    [STATEMENT_GRANT_SET] =
        "with who as (select m.bucket, m.member_id, m.status from loyal.member m where m.bucket = "
        BUCKET("$1") " and m.member_id = $1::bigint for no key update nowait), "
        "known as (select c.body_hash = decode($14, 'hex') and (c.operator_id > 0) = ($12::int > "
        "0) and ($12::int > 0 or c.recipient = $3::int) as is_same, c.until_at from loyal.consent "
        "c where c.bucket = " BUCKET("$1") " and c.member_id = $1::bigint and c.consent_id = "
        "$2::uuid), "
        "taken as (select from loyal.entry e where e.bucket = " BUCKET("$1") " and e.member_id = "
        "$1::bigint and e.id = $2::uuid union all select from loyal.refusal r where r.bucket = "
        BUCKET("$1") " and r.member_id = $1::bigint and r.key = $2::uuid and r.body_hash is not "
        "null), "
        "verdict as (select case when not exists (select from who where status <> 4) then "
        "'unknown' when exists (select from known) then case when (select is_same from known) "
        "then 'recorded' else 'reused' end when $15 = 'over' then $15 when exists (select from "
        "taken) then 'reused' when $15 in ('future', 'old') then $15 when (select status from "
        "who) <> 1 then 'suspended' when $15 = 'absent' then $15 else 'added' end as word), "
        "ended as (update loyal.consent c set ended_at = least(" TIME("$7") ", c.until_at), "
        "end_kind = case when c.until_at <= " TIME("$7") " then 4 else 2 end, end_terminal_id = "
        "$11::int, end_operator_id = $12::int from who w, verdict v where v.word = 'added' and "
        "c.bucket = w.bucket and c.member_id = w.member_id and c.recipient = $3::int and c.source "
        "= $4::int and c.purpose = $5::smallint and c.ended_at is null returning 1), "
        "added as (insert into loyal.consent (bucket, member_id, consent_id, recipient, source, "
        "purpose, fields, granted_at, until_at, text_version, channel, terminal_id, operator_id, "
        "place, body_hash) "
        "select w.bucket, w.member_id, $2::uuid, $3::int, $4::int, $5::smallint, $6::smallint, "
        TIME("$7") ", " TIME("$8") ", $9, $10::smallint, $11::int, $12::int, $13::bigint, "
        "decode($14, 'hex') from who w, verdict v, (select count(*) from ended) first_of_all "
        "where v.word = 'added' returning 1), "
        "kept as (insert into loyal.refusal (bucket, member_id, key, merchant_id, code, kind, "
        "decided_at, balance, debt, body_hash) "
        "select w.bucket, w.member_id, $2::uuid, $16::int, 1, 100, " TIME("$7") ", 0, 0, "
        "decode($14, 'hex') from who w, verdict v where v.word = 'added') "
        "select word, coalesce((select " US("until_at") " from known), $8::bigint) from verdict",
    [STATEMENT_GRANTS_REVOKE] =
        "with done as (update loyal.consent c set ended_at = " TIME("$4") ", end_kind = 1, "
        "end_terminal_id = $5::int, end_operator_id = $6::int where c.bucket = " BUCKET("$1") " "
        "and c.member_id = $1::bigint and $2::int in (0, c.recipient) and $3::int in (0, "
        "c.purpose) and c.ended_at is null and c.until_at > " TIME("$4") " returning 1) "
        "select count(*) from done",
    [STATEMENT_GRANTS_LIST] =
        "select c.consent_id, c.recipient, c.source, c.purpose, c.fields, c.text_version, "
        "c.channel, " US("c.granted_at") ", " US("c.until_at") ", " US("c.ended_at") ", "
        "c.end_kind, coalesce(t.code, ''), coalesce(o.name, '') from loyal.consent c left join "
        "loyal.terminal t on t.terminal_id = c.terminal_id left join loyal.operator o on "
        "o.operator_id = c.operator_id where c.bucket = " BUCKET("$1") " and c.member_id = "
        "$1::bigint and $2::int in (0, c.recipient) and (c.granted_at, c.consent_id) < ("
        TIME("$3") ", $4::uuid) order by c.granted_at desc, c.consent_id desc limit $5::int",
    [STATEMENT_ENTRIES_OF_MEMBER] =
        "with page as materialized (select e.*, " ENTRIES_SO_FAR("e.seq desc") " from (select * "
        "from loyal.entry e where e.bucket = " BUCKET("$1") " and e.member_id = $1::bigint and "
        "$2::int in (0, e.merchant_id) and e.seq < $3::bigint order by e.seq desc "
        "limit $4::int + 1) e), "
        ENTRIES_OF_PAGE("$4::int") ", "
        "logged as (insert into loyal.disclosure select " BUCKET("$1") ", $1::bigint, $6::uuid, "
        TIME("$5") ", 0, 0, $7::int, 43, 0, $8, array_agg(id order by n), array_agg(0::smallint) "
        "from shown having count(*) > 0 and $7::int > 0) "
        "select " ENTRY_SHOWN " from shown e " ENTRY_JOINS " order by e.n",
    [STATEMENT_ENTRIES_OF_PERIOD] =
        "with page as materialized (select e.*, "
        ENTRIES_SO_FAR("e.decided_at, e.member_id, e.seq") " from (select * from loyal.entry e "
        "where e.merchant_id = $1::int and e.decided_at >= " TIME("$2") " and e.decided_at < "
        TIME("$3") " and e.decided_at >= " TIME("$4") " and (e.decided_at, e.member_id, e.seq) > ("
        TIME("$4") ", $5::bigint, $6::bigint) order by e.decided_at, e.member_id, e.seq "
        "limit $7::int + 1) e), "
        ENTRIES_OF_PAGE("$7::int") " "
        "select " ENTRY_SHOWN " from shown e " ENTRY_JOINS " order by e.n",
    [STATEMENT_DISCLOSURES_LIST] =
        "select d.page_id, " US("d.disclosed_at") ", coalesce(m.code, ''), coalesce(t.code, ''), "
        "coalesce(o.name, ''), d.verb, d.purpose, d.reason, (select "
        "json_agg(json_build_array(replace(u.id::text, '-', ''), coalesce(s.code, ''), "
        "coalesce(e.business_date, 0), u.fields) order by u.n) from unnest(d.entries, d.fields) "
        "with ordinality u (id, fields, n) left join loyal.entry e on e.bucket = d.bucket and "
        "e.member_id = d.member_id and e.id = u.id left join loyal.merchant s on s.merchant_id = "
        "e.merchant_id) from loyal.disclosure d left join loyal.merchant m on m.merchant_id = "
        "d.merchant_id left join loyal.terminal t on t.terminal_id = d.terminal_id left join "
        "loyal.operator o on o.operator_id = d.operator_id where d.bucket = " BUCKET("$1") " and "
        "d.member_id = $1::bigint and d.page_id < $2::uuid order by d.page_id desc limit $3::int",
    /* Ends before the row that goes past the bytes; the first one is there in any case. */
    [STATEMENT_MEMBER_EXPORT] =
        "with page as materialized (select r.*, row_number() over up as n, "
        "sum(length(r.row_json::text)) over up as bytes from (select r.* from loyal.member_rows("
        BUCKET("$1") ", $1::bigint) r where r.place >= $2::int and (r.place, r.key collate \"C\") "
        "> ($2::int, $3) order by r.place, r.key collate \"C\" limit $4::int + 1) r window up as "
        "(order by r.place, r.key collate \"C\")), "
        "shown as materialized (select * from page where n <= $4::int and (bytes <= $9::int or n "
        "= 1)), "
        "logged as (insert into loyal.disclosure select " BUCKET("$1") ", $1::bigint, $6::uuid, "
        TIME("$5") ", 0, 0, $7::int, 64, 0, $8, coalesce(array_agg((row_json->>'id')::uuid) "
        "filter (where table_name = 'entry'), '{}'), coalesce(array_agg(0::smallint) filter "
        "(where table_name = 'entry'), '{}') from shown) "
        "select place, key, table_name, row_json, ((select count(*) from page) > (select count(*) "
        "from shown))::int from shown order by n",
    /* Behind STATEMENT_REFERENCE_LOCK, as all changes of the reference. */
    [STATEMENT_STANDING_SET] =
        "with raised as (update loyal.reference_epoch set epoch = epoch + 1 returning epoch), "
        "merchant as (select merchant_id from loyal.merchant where code = $2), "
        "subject as (select merchant_id as id from merchant where $1::int = 1 union all select "
        "s.store_id from loyal.store s join merchant using (merchant_id) where $1::int = 2 and "
        "s.code = $3 union all select t.terminal_id from loyal.terminal t join merchant using "
        "(merchant_id) where $1::int = 3 and t.code = $3 union all select operator_id from "
        "loyal.operator where $1::int = 4 and name = $3), "
        "last as (select " STANDING_OF("$1::int", "s.id") " as standing from subject s), "
        "verdict as (select case when $1::int < 4 and not exists (select from merchant) then "
        "'no_merchant' when $1::int = 2 and not exists (select from subject) then 'no_store' when "
        "not exists (select from subject) then 'no_subject' when (select standing from last) = "
        "$4::smallint then 'same' when (select standing from last) = 3 then 'revoked' else "
        "'added' end as word), "
        "added as (insert into loyal.standing_change (number, subject, subject_id, standing, "
        "changed_at, operator_id, reason) "
        "select (select coalesce(max(number), 0) + 1 from loyal.standing_change, raised), "
        "$1::smallint, s.id, $4::smallint, " TIME("$5") ", $6::int, $7 from subject s, verdict v "
        "where v.word = 'added' returning 1) "
        "select word from verdict",
    /* Of one certificate of a terminal; one more than two that are good is too many. */
    [STATEMENT_CERTIFICATE_STANDING_SET] =
        "with raised as (update loyal.reference_epoch set epoch = epoch + 1 returning epoch), "
        "merchant as (select merchant_id from loyal.merchant where code = $1), "
        "terminal as (select t.terminal_id, t.certificate_sha256 as first from loyal.terminal t "
        "join merchant using (merchant_id) where t.code = $2), "
        "last as (select standing from (select 0 as number, 1::smallint as standing from terminal "
        "where first = decode($3, 'hex') union all select number, standing from "
        "loyal.certificate_change join terminal using (terminal_id) where certificate_sha256 = "
        "decode($3, 'hex')) c order by number desc limit 1), "
        "verdict as (select case when not exists (select from merchant) then 'no_merchant' when "
        "not exists (select from terminal) or $4::smallint <> 1 and not exists (select from last) "
        "then 'no_subject' when (select standing from last) = $4::smallint then 'same' when "
        "(select standing from last) = 3 then 'revoked' when $4::smallint = 1 and (select "
        "count(*) from loyal.terminal_certificate join terminal using (terminal_id)) >= 2 then "
        "'too_many' else 'added' end as word), "
        "added as (insert into loyal.certificate_change (number, terminal_id, "
        "certificate_sha256, standing, changed_at, operator_id, reason) select (select "
        "coalesce(max(number), 0) + 1 from loyal.certificate_change, raised), t.terminal_id, "
        "decode($3, 'hex'), $4::smallint, " TIME("$5") ", $6::int, $7 from terminal t, verdict v "
        "where v.word = 'added' returning 1) "
        "select word from verdict",
    [STATEMENT_MEMBER_STANDING_SET] =
        "with who as (select m.bucket, m.member_id, m.status from loyal.member m where m.bucket = "
        BUCKET("$1") " and m.member_id = $1::bigint for no key update nowait), "
        "verdict as (select case when not exists (select from who where status <> 4) then "
        "'unknown' when (select status from who) = $2::smallint then 'same' when (select status "
        "from who) = 3 then 'revoked' else 'added' end as word), "
        "moved as (update loyal.member m set status = $2::smallint from who w, verdict v where "
        "v.word = 'added' and m.bucket = w.bucket and m.member_id = w.member_id returning "
        "m.bucket, m.member_id), "
        "added as (insert into loyal.member_standing_change select w.bucket, w.member_id, (select "
        "coalesce(max(c.number), 0) + 1 from loyal.member_standing_change c where c.bucket = "
        "w.bucket and c.member_id = w.member_id), $2::smallint, " TIME("$3") ", $4::int, $5 from "
        "moved w returning 1) "
        "select word from verdict",
    [STATEMENT_LOOK_AS] =
        "select set_config('loyal.asker', $1, true), set_config('loyal.purpose', $2, true), "
        "set_config('loyal.at', (" TIME("$3") ")::text, true)",
    [STATEMENT_READER_GUARD] =
        "select 1 / (loyal.epoch() = $1::bigint)::int",
    [STATEMENT_PURCHASES_PAGE] =
        "with page as materialized (select s.*, sum(coalesce(json_array_length(s.lines), 0)) over "
        "newest as line_sum, row_number() over newest as n from (select p.*, " LINES_OF("p") " as "
        "lines from (select p.* from loyal.purchase_elsewhere p where p.bucket = " BUCKET("$1") " "
        "and p.member_id = $1::bigint and p.seq < $2::bigint and " FILTER " order by p.seq desc "
        "limit $3::int + 1) p offset 0) s window newest as (order by s.seq desc)), "
        "shown as materialized (select * from page where n <= $3::int and (line_sum <= " LINES_MAX
        " or n = 1)), "
        "logged as (insert into loyal.disclosure select " BUCKET("$1") ", $1::bigint, $4::uuid, "
        "loyal.asked_at(), loyal.asker(), $5::int, 0, 40, loyal.asked_for(), '', array_agg(id "
        "order by n), array_agg(fields order by n) from shown having count(*) > 0) "
        "select " SHOWN_PURCHASE ", ((select count(*) from page) > (select count(*) from "
        "shown))::int from shown s order by s.n",
    /* A page looks at 250 members at most. Columns 0 and 1 of its rows, of which there is at
     * least one, are where the next page begins, null at the end. The sixth purchase of a member is
     * there to say that there are more. */
    [STATEMENT_NEVER_MET_PAGE] =
        "with member as materialized (select c.place, c.bucket, c.member_id from (select m.place, "
        "m.bucket, m.member_id, m.is_met " CANDIDATES " limit 250) c where not c.is_met and ("
        IS_OPEN " or exists (select from loyal.purchase_elsewhere p where p.bucket = c.bucket and "
        "p.member_id = c.member_id and p.kind = 2 and " FILTER ")) order by c.place, c.member_id "
        "limit $3::int), "
        "found as materialized (select m.place, m.bucket, m.member_id, f.id, f.kind, f.fields, "
        "f.merchant_id, f.business_date, f.channel, f.amount_minor, f.currency, f.points, "
        "f.lines, f.seq, f.n, sum(coalesce(json_array_length(f.lines), 0)) over (order by "
        "m.place, m.member_id) as line_sum, dense_rank() over (order by m.place, m.member_id) as "
        "nth from member m left join lateral (select p.*, case when p.n <= 5 then " LINES_OF("p")
        " end as lines from (select p.*, row_number() over (order by p.seq desc) as n from "
        "(select p.* from loyal.purchase_elsewhere p where p.bucket = m.bucket and p.member_id = "
        "m.member_id and p.kind = 2 and " FILTER " order by p.seq desc limit 6) p) p) f on true), "
        "shown as materialized (select * from found where line_sum <= " LINES_MAX " or nth = 1), "
        "last as (select s.place, s.member_id from shown s order by s.nth desc limit 1), "
        "is_full as (select coalesce(max(nth), 0) = $3::int or count(*) < (select count(*) from "
        "found) as yes from shown), "
        "next as (select l.place, l.member_id from last l, is_full f where f.yes union all select "
        "n.place, n.member_id from (select m.place, m.member_id " CANDIDATES " offset 249 limit "
        "1) n where not (select f.yes from is_full f)), "
        "logged as (insert into loyal.disclosure select bucket, member_id, $4::uuid, "
        "loyal.asked_at(), loyal.asker(), $5::int, 0, 41, loyal.asked_for(), '', "
        "coalesce(array_agg(id order by n) filter (where n <= 5), '{}'), "
        "coalesce(array_agg(fields order by n) filter (where n <= 5), '{}') from shown group by "
        "bucket, member_id) "
        "select (select place from next), (select member_id from next), s.member_id, s.n, "
        SHOWN_PURCHASE " from (values (1)) one (n) left join shown s on true order by s.nth, s.n",
    [STATEMENT_MEMBERS_COUNT] =
        "select c.with_grant, c.without_grant, c.k, " US("c.counted_at") ", "
        "c.released_before::int, c.questions_left from loyal.count_members($1::int[], $2::text[], "
        "$3::int, $4::int, $5::bigint, $6::bigint, $7, $8::smallint[], $9::int, $10::int) c",
    /* Blind: the eraser sees no fact. What was blanked before is blanked again. */
    [STATEMENT_MEMBER_ERASE] =
        "with entries as (update loyal.entry set salt = null, store_id = null, terminal_id = "
        "null, channel = null, till = null, receipt = null, part = null, business_date = null, "
        "occurred_at = null, amount_minor = null, paid_in_points_minor = null, currency = null "
        "where bucket = " BUCKET("$1") " and member_id = $1::bigint returning bucket), "
        "lines as (update loyal.basket_line set product = '', category = '', quantity_milli = 0, "
        "amount_minor = 0 where bucket = " BUCKET("$1") " and member_id = $1::bigint), "
        "refusals as (update loyal.refusal set store_id = null, terminal_id = null, occurred_at = "
        "null, amount_minor = null, points = null where bucket = " BUCKET("$1") " and member_id = "
        "$1::bigint), "
        "identifiers as (delete from loyal.identifier where bucket = " BUCKET("$1") " and "
        "member_id = $1::bigint), "
        "reasons as (update loyal.disclosure set reason = '' where bucket = " BUCKET("$1") " and "
        "member_id = $1::bigint), "
        "changes as (update loyal.member_standing_change set reason = '' where bucket = "
        BUCKET("$1") " and member_id = $1::bigint), "
        "done as (insert into loyal.erasure (key, bucket, member_id, erased_at, operator_id, "
        "points, body_hash) values ($4::uuid, " BUCKET("$1") ", $1::bigint, " TIME("$2") ", "
        "$3::int, $5::bigint, decode($6, 'hex')) on conflict do nothing) "
        "select count(*) from entries",
    [STATEMENT_ERASURE_FIND] =
        "select points, encode(body_hash, 'hex') from loyal.erasure where key = $1::uuid",
};
/* clang-format on */

const char *network_statement_text(enum statement_id id)
{
    return STATEMENTS[id];
}
