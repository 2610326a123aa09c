/* Owns the writes of a batch: what the ledger marked becomes one statement a table. Called by
 * lane.c after the decisions; writes nothing that is not marked. */
#include "engine/batch.h"
#include "ledger/legs.h"

#include <stdlib.h>
#include <string.h>

/* What all writes need. */
struct writing {
    const struct batch *batch;
    struct pg *pg;
    struct params *params;
    pg_callback *each;
    void *ctx;
};

static bool is_moved(const struct member *member)
{
    return member->seq != member->seq_stored;
}

static void rows_send(const struct writing *writing, enum statement_id statement, bool is_guarded)
{
    int rows = writing->params->columns[0].elements;
    if (!rows)
        return;
    if (is_guarded)
        params_scalar_int8(writing->params, rows);
    pg_send(writing->pg, statement, writing->params, writing->each, writing->ctx);
}

static void member_put(struct params *params, const struct member *member)
{
    params_int2(params, 0, member->bucket);
    params_int8(params, 1, member->member_id);
    params_int8(params, 2, member->available);
    params_int8(params, 3, member->debt);
    params_int8(params, 4, member->seq);
    params_bytes(params, 5, member->chain, HASH_BYTES);
    params_time(params, 6, member->decided_at_us);
    params_time(params, 7, member->next_change_at_us);
    params_int2(params, 8, (int16_t)member->status);
}

static void members_write(const struct writing *writing, bool is_new)
{
    static const enum params_type types[] = {PARAMS_INT2, PARAMS_INT8,  PARAMS_INT8, PARAMS_INT8,
                                             PARAMS_INT8, PARAMS_BYTEA, PARAMS_TIME, PARAMS_TIME,
                                             PARAMS_INT2, PARAMS_INT8};
    params_arrays(writing->params, types, is_new ? 9 : 10);
    for (int i = 0; i < writing->batch->member_count; i++) {
        const struct member *member = &writing->batch->members[i].member;
        if (!is_moved(member) || member->is_new != is_new)
            continue;
        member_put(writing->params, member);
        if (!is_new)
            params_int8(writing->params, 9, member->seq_stored);
    }
    rows_send(writing, is_new ? STATEMENT_MEMBERS_INSERT : STATEMENT_MEMBERS_UPDATE, true);
}

static int claim_compare(const void *a, const void *b)
{
    const struct identifier_claim *x = a, *y = b;
    return memcmp(x->hash, y->hash, HASH_BYTES);
}

static size_t claims_gather(const struct batch *batch)
{
    size_t count = 0;
    for (const struct posting *each = batch->postings.first; each; each = each->next)
        for (size_t i = 0; i < each->identifier_count; i++)
            if (each->code == RESULT_OK && !each->decision->recorded)
                batch->claims[count++] = (struct identifier_claim){each->identifiers[i], each};
    return count;
}

/* Ascending, so that batches that claim the same identifiers meet in one order. */
static void identifiers_write(const struct writing *writing)
{
    static const enum params_type types[] = {PARAMS_BYTEA, PARAMS_INT2, PARAMS_INT2, PARAMS_INT8};
    struct identifier_claim *claims = writing->batch->claims;
    size_t count = claims_gather(writing->batch);
    if (count)
        qsort(claims, count, sizeof *claims, claim_compare);
    params_arrays(writing->params, types, 4);
    for (size_t i = 0; i < count; i++) {
        int64_t member_id = claims[i].posting->member_id;
        params_bytes(writing->params, 0, claims[i].hash, HASH_BYTES);
        params_int2(writing->params, 1, claims[i].posting->key_version);
        params_int2(writing->params, 2, bucket_of(member_id));
        params_int8(writing->params, 3, member_id);
    }
    rows_send(writing, STATEMENT_IDENTIFIERS_INSERT, true);
}

static void uuid_or_null(struct params *params, int column, bool is_there, const struct uuid *uuid)
{
    if (is_there)
        params_uuid(params, column, uuid);
    else
        params_null(params, column);
}

static void facts_put(struct params *params, const struct facts *facts)
{
    params_bytes(params, 17, facts->salt, LEDGER_SALT_BYTES);
    params_int4(params, 18, facts->store_id);
    params_int4(params, 19, facts->terminal_id);
    params_int2(params, 20, facts->channel);
    params_bytes(params, 21, facts->till.bytes, facts->till.size);
    params_bytes(params, 22, facts->receipt.bytes, facts->receipt.size);
    params_int4(params, 23, facts->part);
    params_int4(params, 24, facts->business_date);
    params_time(params, 25, facts->occurred_at_us);
    params_int8(params, 26, facts->amount_minor);
    params_int8(params, 27, facts->paid_in_points_minor);
    params_bytes(params, 29, facts->currency.bytes, facts->currency.size);
}

/* leg_end: legs of the batch before this entry; column 28 takes all legs one after the other. */
static int entry_put(struct params *params, const struct member *member, const struct entry *entry,
                     int leg_end)
{
    params_int2(params, 0, member->bucket);
    params_int8(params, 1, member->member_id);
    params_uuid(params, 2, &entry->id);
    params_int8(params, 3, entry->seq);
    params_time(params, 4, entry->decided_at_us);
    params_int2(params, 5, (int16_t)entry->kind);
    params_int4(params, 6, entry->merchant_id);
    params_int8(params, 7, entry->points);
    params_int8(params, 8, entry->balance);
    params_int8(params, 9, entry->debt);
    params_int4(params, 10, entry->rule_version);
    uuid_or_null(params, 11, entry->has_original, &entry->original);
    params_bytes(params, 12, entry->body_hash, LEDGER_BODY_HASH_BYTES);
    params_bytes(params, 13, entry->facts_hash, HASH_BYTES);
    params_bytes(params, 14, entry->chain, HASH_BYTES);
    params_int4(params, 15, leg_end * LEG_VALUES + 1);
    for (size_t i = 0; i < entry->leg_count; i++, leg_end++) {
        int64_t values[LEG_VALUES];
        ledger_legs_encode(&entry->legs[i], 1, values);
        for (int j = 0; j < LEG_VALUES; j++)
            params_int8(params, 28, values[j]);
    }
    params_int4(params, 16, leg_end * LEG_VALUES);
    facts_put(params, &entry->facts);
    return leg_end;
}

static void entries_write(const struct writing *writing)
{
    static const enum params_type types[] = {
        PARAMS_INT2,  PARAMS_INT8,  PARAMS_UUID,  PARAMS_INT8, PARAMS_TIME, PARAMS_INT2,
        PARAMS_INT4,  PARAMS_INT8,  PARAMS_INT8,  PARAMS_INT8, PARAMS_INT4, PARAMS_UUID,
        PARAMS_BYTEA, PARAMS_BYTEA, PARAMS_BYTEA, PARAMS_INT4, PARAMS_INT4, PARAMS_BYTEA,
        PARAMS_INT4,  PARAMS_INT4,  PARAMS_INT2,  PARAMS_TEXT, PARAMS_TEXT, PARAMS_INT4,
        PARAMS_INT4,  PARAMS_TIME,  PARAMS_INT8,  PARAMS_INT8, PARAMS_INT8, PARAMS_TEXT};
    int leg_end = 0;
    params_arrays(writing->params, types, 30);
    for (int i = 0; i < writing->batch->member_count; i++) {
        const struct member *member = &writing->batch->members[i].member;
        for (const struct entry *entry = member->entries; entry; entry = entry->next)
            if (entry->is_new)
                leg_end = entry_put(writing->params, member, entry, leg_end);
    }
    rows_send(writing, STATEMENT_ENTRIES_INSERT, false);
}

static void lines_put(struct params *params, const struct member *member, const struct entry *entry)
{
    for (size_t i = 0; i < entry->facts.line_count; i++) {
        const struct basket_line *line = &entry->facts.lines[i];
        params_int2(params, 0, member->bucket);
        params_int8(params, 1, member->member_id);
        params_uuid(params, 2, &entry->id);
        params_int2(params, 3, (int16_t)(i + 1));
        params_bytes(params, 4, line->product.bytes, line->product.size);
        params_bytes(params, 5, line->category.bytes, line->category.size);
        params_int8(params, 6, line->quantity_milli);
        params_int8(params, 7, line->amount_minor);
        params_int8(params, 8, line->points);
    }
}

static void lines_write(const struct writing *writing)
{
    static const enum params_type types[] = {PARAMS_INT2, PARAMS_INT8, PARAMS_UUID,
                                             PARAMS_INT2, PARAMS_TEXT, PARAMS_TEXT,
                                             PARAMS_INT8, PARAMS_INT8, PARAMS_INT8};
    params_arrays(writing->params, types, 9);
    for (int i = 0; i < writing->batch->member_count; i++) {
        const struct member *member = &writing->batch->members[i].member;
        for (const struct entry *entry = member->entries; entry; entry = entry->next)
            if (entry->is_new)
                lines_put(writing->params, member, entry);
    }
    rows_send(writing, STATEMENT_LINES_INSERT, false);
}

static void refusal_put(struct params *params, const struct member *member,
                        const struct refusal *refusal)
{
    params_int2(params, 0, member->bucket);
    params_int8(params, 1, member->member_id);
    params_uuid(params, 2, &refusal->key);
    params_int4(params, 3, refusal->merchant_id);
    params_int2(params, 4, (int16_t)refusal->code);
    params_int2(params, 5, (int16_t)refusal->kind);
    params_time(params, 6, refusal->decided_at_us);
    params_int8(params, 7, refusal->balance);
    params_int8(params, 8, refusal->debt);
    uuid_or_null(params, 9, refusal->has_original, &refusal->original);
    if (refusal->has_body_hash)
        params_bytes(params, 10, refusal->body_hash, LEDGER_BODY_HASH_BYTES);
    else
        params_null(params, 10);
    params_int4(params, 11, refusal->store_id);
    params_int4(params, 12, refusal->terminal_id);
    params_time(params, 13, refusal->occurred_at_us);
    params_int8(params, 14, refusal->amount_minor);
    params_int8(params, 15, refusal->points);
}

static void refusals_write(const struct writing *writing)
{
    static const enum params_type types[] = {PARAMS_INT2, PARAMS_INT8, PARAMS_UUID,  PARAMS_INT4,
                                             PARAMS_INT2, PARAMS_INT2, PARAMS_TIME,  PARAMS_INT8,
                                             PARAMS_INT8, PARAMS_UUID, PARAMS_BYTEA, PARAMS_INT4,
                                             PARAMS_INT4, PARAMS_TIME, PARAMS_INT8,  PARAMS_INT8};
    params_arrays(writing->params, types, 16);
    for (int i = 0; i < writing->batch->member_count; i++) {
        const struct member *member = &writing->batch->members[i].member;
        for (const struct refusal *refusal = member->refusals; refusal; refusal = refusal->next)
            if (refusal->is_new)
                refusal_put(writing->params, member, refusal);
    }
    rows_send(writing, STATEMENT_REFUSALS_INSERT, false);
}

static void lot_put(struct params *params, const struct member *member, const struct lot *lot)
{
    params_int2(params, 0, member->bucket);
    params_int8(params, 1, member->member_id);
    params_uuid(params, 2, &lot->entry);
    params_int2(params, 3, (int16_t)lot->number);
    if (lot->change == CHANGE_UPDATE)
        params_int8(params, 4, lot->points);
    if (lot->change != CHANGE_INSERT)
        return;
    params_int4(params, 4, lot->issuer);
    params_int8(params, 5, lot->points);
    params_time(params, 6, lot->earned_at_us);
    params_time(params, 7, lot->expires_at_us);
}

static void lots_write(const struct writing *writing, enum change change)
{
    static const enum params_type insert[] = {PARAMS_INT2, PARAMS_INT8, PARAMS_UUID, PARAMS_INT2,
                                              PARAMS_INT4, PARAMS_INT8, PARAMS_TIME, PARAMS_TIME};
    static const enum params_type update[] = {PARAMS_INT2, PARAMS_INT8, PARAMS_UUID, PARAMS_INT2,
                                              PARAMS_INT8};
    if (change == CHANGE_INSERT)
        params_arrays(writing->params, insert, 8);
    else
        params_arrays(writing->params, update, change == CHANGE_UPDATE ? 5 : 4);
    for (int i = 0; i < writing->batch->member_count; i++) {
        const struct member *member = &writing->batch->members[i].member;
        for (const struct lot *lot = member->lots; lot; lot = lot->next)
            if (lot->change == change)
                lot_put(writing->params, member, lot);
    }
    rows_send(writing,
              change == CHANGE_INSERT   ? STATEMENT_LOTS_INSERT
              : change == CHANGE_UPDATE ? STATEMENT_LOTS_UPDATE
                                        : STATEMENT_LOTS_DELETE,
              change != CHANGE_INSERT);
}

static void debts_write(const struct writing *writing, bool is_delete)
{
    static const enum params_type types[] = {PARAMS_INT2, PARAMS_INT8, PARAMS_INT4, PARAMS_INT8};
    struct params *params = writing->params;
    params_arrays(params, types, is_delete ? 3 : 4);
    for (int i = 0; i < writing->batch->member_count; i++) {
        const struct member *member = &writing->batch->members[i].member;
        for (const struct debt *debt = member->debts; debt; debt = debt->next) {
            if (debt->change == CHANGE_NONE || (debt->change == CHANGE_DELETE) != is_delete)
                continue;
            params_int2(params, 0, member->bucket);
            params_int8(params, 1, member->member_id);
            params_int4(params, 2, debt->issuer);
            if (!is_delete)
                params_int8(params, 3, debt->points);
        }
    }
    rows_send(writing, is_delete ? STATEMENT_DEBTS_DELETE : STATEMENT_DEBTS_UPSERT, is_delete);
}

/* Whoever is erased grants nothing any more, in the commit that marks him. */
static void grants_end(const struct writing *writing)
{
    static const enum params_type types[] = {PARAMS_INT2, PARAMS_INT8, PARAMS_TIME};
    params_arrays(writing->params, types, 3);
    for (int i = 0; i < writing->batch->member_count; i++) {
        const struct member *member = &writing->batch->members[i].member;
        if (!is_moved(member) || member->status != MEMBER_ERASED)
            continue;
        params_int2(writing->params, 0, member->bucket);
        params_int8(writing->params, 1, member->member_id);
        params_time(writing->params, 2, member->decided_at_us);
    }
    rows_send(writing, STATEMENT_GRANTS_END, false);
}

void batch_send_writes(struct batch *batch, struct pg *pg, struct params *params, pg_callback *each,
                       void *ctx)
{
    struct writing writing = {batch, pg, params, each, ctx};
    members_write(&writing, true);
    members_write(&writing, false);
    identifiers_write(&writing);
    entries_write(&writing);
    lines_write(&writing);
    refusals_write(&writing);
    lots_write(&writing, CHANGE_INSERT);
    lots_write(&writing, CHANGE_UPDATE);
    lots_write(&writing, CHANGE_DELETE);
    debts_write(&writing, false);
    debts_write(&writing, true);
    grants_end(&writing);
}
