/* The second guard (R34): an entry that already took effect for the same receipt; and what was
 * reversed of an entry, which decides whether it still has an effect. Reads only. */
#include "ledger/decide.h"

#include "base/int64.h"

static bool is_same_text(const struct text *a, const struct text *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

static bool is_same_receipt(const struct facts *a, const struct facts *b)
{
    return a->store_id == b->store_id && a->part == b->part &&
           a->business_date == b->business_date && is_same_text(&a->receipt, &b->receipt) &&
           is_same_text(&a->till, &b->till);
}

static int64_t add_capped(int64_t a, int64_t b)
{
    return int64_add(a, b, &a) ? a : INT64_MAX;
}

struct reversed reversed_so_far(const struct member *member, const struct entry *original)
{
    struct reversed reversed = {0};
    for (const struct entry *entry = member->entries; entry; entry = entry->next) {
        if (!entry->has_original || !uuid_equal(&entry->original, &original->id))
            continue;
        reversed.count++;
        /* at most the original's, unless somebody spoilt the rows */
        reversed.amount_minor = add_capped(reversed.amount_minor, entry->facts.amount_minor);
        reversed.points = add_capped(reversed.points, entry->points);
    }
    return reversed;
}

/* A reversal of a purchase of nothing is whole as well, and a redemption is reversed whole only. */
bool is_wholly_reversed(const struct entry *original, const struct reversed *reversed)
{
    if (reversed->count == 0)
        return false;
    return original->kind == ENTRY_REDEEM || reversed->amount_minor >= original->facts.amount_minor;
}

const struct entry *receipt_find(const struct deciding *deciding)
{
    const struct ledger_request *request = deciding->request;
    if (request->facts.receipt.size == 0)
        return NULL;
    for (const struct entry *entry = deciding->member->entries; entry; entry = entry->next) {
        if (entry->merchant_id != request->merchant_id || entry->kind != request->kind ||
            !is_same_receipt(&entry->facts, &request->facts))
            continue;
        struct reversed reversed = reversed_so_far(deciding->member, entry);
        if (!is_wholly_reversed(entry, &reversed))
            return entry;
    }
    return NULL;
}
