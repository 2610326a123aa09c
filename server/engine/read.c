/* Owns S1 and S2: what a batch asks before it decides, and how the rows become members, entries,
 * refusals, lots and debts. Called by lane.c. */
#include "engine/batch.h"
#include "engine/rows.h"
#include "base/zone.h"
#include "ledger/legs.h"

#include <string.h>

#define DAY_US INT64_C(86400000000)

/* What S1 and S2 need; notes which statements were asked. */
struct reading {
    struct batch *batch;
    struct pg *pg;
    struct params *params;
    enum statement_id *asked;
    int asked_count;
    const struct batch_reads *reads;
};

static void ask(struct reading *reading, enum statement_id statement, const struct params *params)
{
    reading->asked[reading->asked_count++] = statement;
    pg_send(reading->pg, statement, params, reading->reads->each, reading->reads->ctx);
}

static void *batch_alloc(struct batch *batch, size_t bytes)
{
    void *memory = arena_alloc(&batch->arena, bytes);
    batch->is_broken |= !memory;
    return memory;
}

/* The text of a value stays in the batch's arena. */
static struct text row_text(struct batch *batch, const PGresult *rows, int row, int column)
{
    size_t size = (size_t)PQgetlength(rows, row, column);
    char *bytes = batch_alloc(batch, size + 1);
    if (bytes)
        memcpy(bytes, row_bytes(rows, row, column), size);
    return (struct text){bytes, bytes ? size : 0};
}

static void members_ask(struct reading *reading, enum statement_id statement)
{
    const struct batch *batch = reading->batch;
    struct params *params = reading->params;
    static const enum params_type types[] = {PARAMS_INT2, PARAMS_INT8};
    bool is_of_all = statement == STATEMENT_MEMBERS_LOCK || statement == STATEMENT_MEMBERS_TRY;
    params_arrays(params, types, 2);
    for (int i = 0; i < batch->member_count; i++) {
        const struct batch_member *slot = &batch->members[i];
        if (!is_of_all && !slot->wants_state)
            continue;
        params_int2(params, 0, slot->member.bucket);
        params_int8(params, 1, slot->member.member_id);
    }
    if (is_of_all || params->columns[0].elements)
        ask(reading, statement, params);
}

/* From where on an entry with this posting's receipt can be: a day before its business date, and
 * its key. A till whose date is ahead says nothing of the time: then as far back as a key may be
 * old. */
static struct uuid receipt_since(const struct posting *posting, const struct ledger_terms *terms)
{
    int64_t since_us = zone_day_begin(posting->request.facts.business_date) - DAY_US;
    if (since_us > terms->now_us - DAY_US)
        since_us = terms->now_us - terms->key_age_us_max;
    struct uuid since = uuid_first(since_us > 0 ? since_us : 0);
    return uuid_compare(&since, &posting->request.key) < 0 ? since : posting->request.key;
}

static void entries_ask(struct reading *reading)
{
    const struct batch *batch = reading->batch;
    struct params *params = reading->params;
    static const enum params_type types[] = {PARAMS_INT2, PARAMS_INT8, PARAMS_UUID,
                                             PARAMS_UUID, PARAMS_UUID, PARAMS_TEXT};
    const struct ledger_terms *terms = &batch->terms;
    struct uuid last = uuid_last(terms->now_us + terms->key_ahead_us_max + DAY_US);
    struct uuid low, high;
    memset(&low, 0xff, sizeof low);
    memset(&high, 0, sizeof high);
    params_arrays(params, types, 6);
    for (const struct posting *posting = batch->postings.first; posting; posting = posting->next) {
        const struct text *receipt = &posting->request.facts.receipt;
        const struct uuid *key = &posting->request.key;
        struct uuid since = receipt->size ? receipt_since(posting, terms) : *key;
        struct uuid until = receipt->size && uuid_compare(&last, key) > 0 ? last : *key;
        low = uuid_compare(&since, &low) < 0 ? since : low;
        high = uuid_compare(&until, &high) > 0 ? until : high;
        params_int2(params, 0, bucket_of(posting->member_id));
        params_int8(params, 1, posting->member_id);
        params_uuid(params, 2, key);
        params_uuid(params, 3, &since);
        params_uuid(params, 4, &until);
        params_bytes(params, 5, receipt->bytes, receipt->size);
    }
    params_scalar_uuid(params, &low);
    params_scalar_uuid(params, &high);
    ask(reading, STATEMENT_ENTRIES_FIND, params);
}

static void originals_ask(struct reading *reading)
{
    const struct batch *batch = reading->batch;
    struct params *params = reading->params;
    static const enum params_type types[] = {PARAMS_INT2, PARAMS_INT8, PARAMS_UUID};
    struct uuid low, high;
    memset(&low, 0xff, sizeof low);
    memset(&high, 0, sizeof high);
    params_arrays(params, types, 3);
    for (const struct posting *posting = batch->postings.first; posting; posting = posting->next) {
        if (!posting->request.has_original)
            continue;
        const struct uuid *original = &posting->request.original;
        low = uuid_compare(original, &low) < 0 ? *original : low;
        high = uuid_compare(original, &high) > 0 ? *original : high;
        params_int2(params, 0, bucket_of(posting->member_id));
        params_int8(params, 1, posting->member_id);
        params_uuid(params, 2, original);
    }
    if (!params->columns[0].elements)
        return;
    params_scalar_uuid(params, &low);
    params_scalar_uuid(params, &high);
    ask(reading, STATEMENT_REVERSALS_FIND, params);
}

static void refusals_ask(struct reading *reading)
{
    const struct batch *batch = reading->batch;
    struct params *params = reading->params;
    static const enum params_type types[] = {PARAMS_INT2, PARAMS_INT8, PARAMS_UUID};
    params_arrays(params, types, 3);
    for (const struct posting *posting = batch->postings.first; posting; posting = posting->next) {
        for (int of_original = 0; of_original <= (posting->request.has_original ? 1 : 0);
             of_original++) {
            params_int2(params, 0, bucket_of(posting->member_id));
            params_int8(params, 1, posting->member_id);
            params_uuid(params, 2,
                        of_original ? &posting->request.original : &posting->request.key);
        }
    }
    ask(reading, STATEMENT_REFUSALS_FIND, params);
}

static void identifier_ask(struct reading *reading, const uint8_t *hash, struct posting *posting)
{
    struct batch *batch = reading->batch;
    params_bytes(reading->params, 0, hash, HASH_BYTES);
    params_int4(reading->params, 1, batch->asked_count);
    batch->asked[batch->asked_count++] = (struct asked_identifier){hash, posting};
}

/* Whose the identifiers are, now that the members are locked: proves the hints, and an enrolment.
 */
static void identifiers_ask(struct reading *reading)
{
    struct batch *batch = reading->batch;
    struct params *params = reading->params;
    static const enum params_type types[] = {PARAMS_BYTEA, PARAMS_INT4};
    params_arrays(params, types, 2);
    for (struct posting *posting = batch->postings.first; posting; posting = posting->next) {
        posting->is_proved = false;
        if (posting->by_identifier)
            identifier_ask(reading, posting->identifier_hash, posting);
        for (size_t i = 0; i < posting->identifier_count; i++)
            identifier_ask(reading, posting->identifiers[i], posting);
    }
    if (params->columns[0].elements)
        ask(reading, STATEMENT_RESOLVE, params);
}

int batch_send_reads(struct batch *batch, struct pg *pg, struct params *params,
                     enum statement_id asked_out[BATCH_READS_MAX], const struct batch_reads *reads)
{
    struct reading reading = {batch, pg, params, asked_out, 0, reads};
    ask(&reading, STATEMENT_BEGIN, NULL);
    members_ask(&reading, batch->waits ? STATEMENT_MEMBERS_LOCK : STATEMENT_MEMBERS_TRY);
    entries_ask(&reading);
    originals_ask(&reading);
    refusals_ask(&reading);
    members_ask(&reading, STATEMENT_LOTS_READ);
    members_ask(&reading, STATEMENT_DEBTS_READ);
    identifiers_ask(&reading);
    pg_send(pg, STATEMENT_EPOCH_READ, NULL, reads->last, reads->ctx);
    pg_flush(pg);
    return reading.asked_count;
}

static void member_take(struct batch_member *slot, const PGresult *rows, int row)
{
    struct member *member = &slot->member;
    slot->is_held = row_bytes(rows, row, 8)[0] != 0;
    if (slot->is_held)
        return;
    member->exists = true;
    member->available = row_int8(rows, row, 1);
    member->debt = row_int8(rows, row, 2);
    member->seq = member->seq_stored = row_int8(rows, row, 3);
    row_copy(rows, row, 4, member->chain, HASH_BYTES);
    member->decided_at_us = row_time(rows, row, 5);
    member->next_change_at_us = row_time(rows, row, 6);
    member->status = row_int2(rows, row, 7);
    member->debts_read = member->debt == 0;
}

/* An array of bigint: dimensions, flags, type, length, lower bound, then length and value each.
 * NULL: null. */
static void legs_take(struct batch *batch, struct entry *entry, const uint8_t *array)
{
    size_t values = array && get_u32(array) ? get_u32(array + 12) : 0;
    batch->is_broken |= values % LEG_VALUES != 0;
    entry->leg_count = values / LEG_VALUES;
    entry->legs = batch_alloc(batch, (entry->leg_count + 1) * sizeof *entry->legs);
    for (size_t i = 0; entry->legs && i < entry->leg_count; i++) {
        int64_t leg[LEG_VALUES];
        for (size_t j = 0; j < LEG_VALUES; j++)
            leg[j] = (int64_t)get_u64(array + 20 + (i * LEG_VALUES + j) * 12 + 4);
        ledger_leg_decode(leg, &entry->legs[i]);
    }
}

static void entry_facts_take(struct batch *batch, struct entry *entry, const PGresult *rows,
                             int row)
{
    struct facts *facts = &entry->facts;
    facts->store_id = row_int4(rows, row, 13);
    facts->till = row_text(batch, rows, row, 14);
    facts->receipt = row_text(batch, rows, row, 15);
    facts->part = row_int4(rows, row, 16);
    facts->business_date = row_int4(rows, row, 17);
    facts->occurred_at_us = row_time(rows, row, 18);
    facts->amount_minor = row_int8(rows, row, 19);
    facts->paid_in_points_minor = row_int8(rows, row, 20);
}

static void entry_take(struct batch *batch, struct member *member, const PGresult *rows, int row)
{
    struct uuid id = row_uuid(rows, row, 1);
    for (const struct entry *known = member->entries; known; known = known->next)
        if (uuid_equal(&known->id, &id))
            return; /* found by key and by receipt */
    struct entry *entry = batch_alloc(batch, sizeof *entry);
    if (!entry)
        return;
    entry->id = id;
    entry->seq = row_int8(rows, row, 2);
    entry->decided_at_us = row_time(rows, row, 3);
    entry->kind = row_int2(rows, row, 4);
    entry->merchant_id = row_int4(rows, row, 5);
    entry->points = row_int8(rows, row, 6);
    entry->balance = row_int8(rows, row, 7);
    entry->debt = row_int8(rows, row, 8);
    entry->rule_version = row_int4(rows, row, 9);
    legs_take(batch, entry, row_is_null(rows, row, 10) ? NULL : row_bytes(rows, row, 10));
    entry->has_original = !row_is_null(rows, row, 11);
    entry->original = row_uuid(rows, row, 11);
    row_copy(rows, row, 12, entry->body_hash, LEDGER_BODY_HASH_BYTES);
    entry_facts_take(batch, entry, rows, row);
    entry->next = member->entries;
    member->entries = entry;
}

static void refusal_take(struct batch *batch, struct member *member, const PGresult *rows, int row)
{
    struct refusal *refusal = batch_alloc(batch, sizeof *refusal);
    if (!refusal)
        return;
    refusal->key = row_uuid(rows, row, 1);
    refusal->merchant_id = row_int4(rows, row, 2);
    refusal->code = row_int2(rows, row, 3);
    refusal->kind = row_int2(rows, row, 4);
    refusal->decided_at_us = row_time(rows, row, 5);
    refusal->balance = row_int8(rows, row, 6);
    refusal->debt = row_int8(rows, row, 7);
    refusal->has_original = !row_is_null(rows, row, 8);
    refusal->original = row_uuid(rows, row, 8);
    refusal->has_body_hash = !row_is_null(rows, row, 9);
    row_copy(rows, row, 9, refusal->body_hash, LEDGER_BODY_HASH_BYTES);
    refusal->amount_minor = row_int8(rows, row, 10);
    refusal->points = row_int8(rows, row, 11);
    refusal->next = member->refusals;
    member->refusals = refusal;
}

static void lot_take(struct batch *batch, struct member *member, const PGresult *rows, int row)
{
    struct lot *lot = batch_alloc(batch, sizeof *lot);
    if (!lot)
        return;
    lot->is_stored = true;
    lot->entry = row_uuid(rows, row, 1);
    lot->number = row_int2(rows, row, 2);
    lot->issuer = row_int4(rows, row, 3);
    lot->points = row_int8(rows, row, 4);
    lot->earned_at_us = row_time(rows, row, 5);
    lot->expires_at_us = row_time(rows, row, 6);
    ledger_insert_lot(member, lot);
}

static void debt_take(struct batch *batch, struct member *member, const PGresult *rows, int row)
{
    struct debt *debt = batch_alloc(batch, sizeof *debt);
    if (!debt)
        return;
    debt->is_stored = true;
    debt->issuer = row_int4(rows, row, 1);
    debt->points = row_int8(rows, row, 2);
    debt->next = member->debts;
    member->debts = debt;
}

/* STATEMENT_RESOLVE: number of the question, and whose the identifier is. */
static void asked_take(struct batch *batch, const PGresult *rows, int row)
{
    int32_t number = row_int4(rows, row, 0);
    int64_t member_id = row_int8(rows, row, 1);
    if (number < 0 || number >= batch->asked_count || member_id < 0 ||
        batch->known_count >= batch->asked_count) {
        batch->is_broken = true;
        return;
    }
    const struct asked_identifier *asked = &batch->asked[number];
    if (asked->posting->by_identifier)
        asked->posting->is_proved = asked->posting->member_id == member_id;
    else
        batch->known[batch->known_count++] = (struct known_identifier){asked->hash, member_id};
}

void batch_take_rows(struct batch *batch, enum statement_id statement, const PGresult *rows)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        if (statement == STATEMENT_RESOLVE) {
            asked_take(batch, rows, row);
            continue;
        }
        struct batch_member *slot = batch_find(batch, row_int8(rows, row, 0));
        if (!slot)
            continue;
        switch (statement) {
        case STATEMENT_MEMBERS_LOCK:
        case STATEMENT_MEMBERS_TRY: member_take(slot, rows, row); break;
        case STATEMENT_ENTRIES_FIND:
        case STATEMENT_REVERSALS_FIND: entry_take(batch, &slot->member, rows, row); break;
        case STATEMENT_REFUSALS_FIND: refusal_take(batch, &slot->member, rows, row); break;
        case STATEMENT_LOTS_READ: lot_take(batch, &slot->member, rows, row); break;
        case STATEMENT_DEBTS_READ: debt_take(batch, &slot->member, rows, row); break;
        default: break;
        }
    }
}
