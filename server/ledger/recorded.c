/* What is recorded under a key: the answers of entries, refusals and tombstones (R16, R32, R33,
 * R35). A key that is known is answered from here and changes nothing. */
#include "ledger/decide.h"

#include <assert.h>

static bool is_same_body(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, LEDGER_BODY_HASH_BYTES) == 0;
}

static void answer_reused(struct decision *decision)
{
    decision->code = RESULT_KEY_REUSED;
}

static void answer_entry(const struct deciding *deciding, const struct entry *entry)
{
    const struct ledger_request *request = deciding->request;
    if (entry->merchant_id != request->merchant_id || entry->kind != request->kind ||
        !is_same_body(entry->body_hash, request->body_hash)) {
        answer_reused(deciding->decision);
        return;
    }
    deciding->decision->code = RESULT_OK;
    deciding->decision->recorded = true;
    entry_answer(entry, deciding->decision);
}

/* The answer of a refusal of this merchant. DUPLICATE_RECEIPT gives the result of the entry it
 * names, if that was read. */
static void answer_refusal(const struct deciding *deciding, const struct refusal *refusal)
{
    struct decision *decision = deciding->decision;
    if (refusal->has_body_hash && !is_same_body(refusal->body_hash, deciding->request->body_hash)) {
        answer_reused(decision);
        return;
    }
    decision->code = refusal->code;
    decision->recorded = true;
    decision->before_original = refusal->code == RESULT_OK;
    decision->balance = refusal->balance;
    decision->debt = refusal->debt;
    decision->decided_at_us = refusal->decided_at_us;
    if (refusal->code == RESULT_DUPLICATE_RECEIPT) {
        const struct entry *original = entry_find(deciding->member, &refusal->original);
        if (original)
            entry_answer(original, decision);
    }
}

const struct refusal *refusal_find(const struct member *member, const struct uuid *key,
                                   int32_t merchant_id)
{
    const struct refusal *refusal = member->refusals;
    while (refusal && !(refusal->merchant_id == merchant_id && uuid_equal(&refusal->key, key)))
        refusal = refusal->next;
    return refusal;
}

/* A key under which another merchant was refused is his; his tombstones bind nobody else (R16). */
static bool is_refused_elsewhere(const struct member *member, const struct uuid *key)
{
    for (const struct refusal *at = member->refusals; at; at = at->next)
        if (at->has_body_hash && uuid_equal(&at->key, key))
            return true;
    return false;
}

bool recorded_answer(const struct deciding *deciding)
{
    const struct ledger_request *request = deciding->request;
    const struct entry *entry = entry_find(deciding->member, &request->key);
    if (entry) {
        answer_entry(deciding, entry);
        return true;
    }
    const struct refusal *refusal =
        refusal_find(deciding->member, &request->key, request->merchant_id);
    if (refusal) {
        answer_refusal(deciding, refusal);
        return true;
    }
    if (is_refused_elsewhere(deciding->member, &request->key)) {
        answer_reused(deciding->decision);
        return true;
    }
    return false;
}

/* A refusal of the request as it stands, joined to the member's. */
static struct refusal *refusal_add(const struct deciding *deciding, const struct uuid *key)
{
    const struct ledger_request *request = deciding->request;
    const struct member *member = deciding->member;
    struct refusal *refusal = arena_alloc(deciding->arena, sizeof *refusal);
    if (!refusal)
        return NULL;
    assert(!refusal_find(member, key, request->merchant_id));
    *refusal = (struct refusal){.next = member->refusals,
                                .is_new = true,
                                .key = *key,
                                .merchant_id = request->merchant_id,
                                .kind = request->kind,
                                .decided_at_us = deciding->now_us,
                                .balance = member->available,
                                .debt = member->debt,
                                .store_id = request->facts.store_id,
                                .terminal_id = request->facts.terminal_id,
                                .occurred_at_us = request->facts.occurred_at_us,
                                .amount_minor = request->facts.amount_minor,
                                .points = request->points};
    deciding->member->refusals = refusal;
    return refusal;
}

/* The request's own record, under its key and body. */
static struct refusal *refusal_add_own(const struct deciding *deciding, enum result code)
{
    struct refusal *refusal = refusal_add(deciding, &deciding->request->key);
    if (!refusal)
        return NULL;
    refusal->code = code;
    refusal->has_original = deciding->request->has_original;
    refusal->original = deciding->request->original;
    refusal->has_body_hash = true;
    memcpy(refusal->body_hash, deciding->request->body_hash, sizeof refusal->body_hash);
    return refusal;
}

bool refuse_recorded(const struct deciding *deciding, enum result code,
                     const struct entry *original)
{
    struct refusal *refusal = refusal_add_own(deciding, code);
    if (!refusal)
        return false;
    struct decision *decision = deciding->decision;
    decision->code = code;
    decision->decided_at_us = refusal->decided_at_us;
    decision->balance = refusal->balance;
    decision->debt = refusal->debt;
    if (original) {
        refusal->has_original = true;
        refusal->original = original->id;
        refusal->balance = original->balance;
        refusal->debt = original->debt;
        entry_answer(original, decision);
    }
    return true;
}

/* A request whose refusal is recorded is bound by that already and can leave no second row under
 * its key. */
bool refuse_before_original(const struct deciding *deciding)
{
    const struct ledger_request *request = deciding->request;
    if (!refusal_find(deciding->member, &request->original, request->merchant_id)) {
        struct refusal *tombstone = refusal_add(deciding, &request->original);
        if (!tombstone)
            return false;
        tombstone->code = RESULT_REVERSED_BEFORE;
        tombstone->kind = request->kind == ENTRY_REVERSE_EARN ? ENTRY_EARN : ENTRY_REDEEM;
    }
    if (!refuse_recorded(deciding, RESULT_OK, NULL))
        return false;
    deciding->decision->before_original = true;
    return true;
}
