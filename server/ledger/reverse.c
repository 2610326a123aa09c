/* Reversals: a refund claws back what a purchase earned (R4 to R7), a reversed redemption gives its
 * lots back (R8 to R10). Both name their original, which may not have come yet (R16). */
#include "ledger/decide.h"

#include <assert.h>

#include "base/int64.h"

/* The original, if it is this merchant's and of this kind. NULL: the request is decided, and
 * *ok_out is what to return. */
static const struct entry *find_original(const struct deciding *deciding, enum entry_kind kind,
                                         bool *ok_out)
{
    const struct ledger_request *request = deciding->request;
    const struct member *member = deciding->member;
    if (!request->has_original || uuid_equal(&request->original, &request->key)) {
        *ok_out = refuse_recorded(deciding, RESULT_NO_ORIGINAL, NULL);
        return NULL;
    }
    const struct entry *original = entry_find(member, &request->original);
    if (original && original->merchant_id == request->merchant_id && original->kind == kind)
        return original;
    const struct refusal *refusal = refusal_find(member, &request->original, request->merchant_id);
    if (original || (refusal && refusal->has_body_hash && refusal->kind != kind))
        *ok_out = refuse_recorded(deciding, RESULT_NO_ORIGINAL, NULL);
    else
        *ok_out = refuse_before_original(deciding);
    return NULL;
}

static const struct earn_rule *rule_find(const struct ledger_terms *terms, int32_t version)
{
    size_t low = 0, high = terms->rule_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (terms->rules[middle].version < version)
            low = middle + 1;
        else
            high = middle;
    }
    assert(low < terms->rule_count && terms->rules[low].version == version);
    return &terms->rules[low];
}

/* R4: what the original earned, less what its remainder would have earned, less what was clawed
 * back before. A refund first takes the part that was paid in points (R11), which earned nothing:
 * so the remainder's eligible amount is the smaller of what was eligible and what is not refunded.
 * Never more than the receipt earned (R5). */
static int64_t clawback(const struct deciding *deciding, const struct entry *original,
                        const struct reversed *reversed, int64_t refund_minor)
{
    int64_t eligible = original->facts.amount_minor - original->facts.paid_in_points_minor;
    int64_t kept = original->facts.amount_minor - reversed->amount_minor - refund_minor;
    int64_t earned_by_rest = 0;
    if (original->rule_version != 0 &&
        !rule_points(rule_find(deciding->terms, original->rule_version),
                     kept < eligible ? kept : eligible, &earned_by_rest))
        earned_by_rest = original->points;
    int64_t left = original->points - reversed->points;
    int64_t claw = left - earned_by_rest;
    return claw < 0 ? 0 : claw;
}

static int64_t points_of_issuer(const struct member *member, int32_t issuer)
{
    int64_t points = 0;
    for (const struct lot *lot = member->lots; lot; lot = lot->next)
        if (lot->issuer == issuer)
            points += lot->points;
    return points;
}

/* R6: the receipt's own lot, then the issuer's others, then debt; never another issuer's (R7). */
static bool claw_back(const struct deciding *deciding, struct entry *entry)
{
    struct member *member = deciding->member;
    int32_t issuer = entry->merchant_id;
    int64_t wanted = entry->points;
    struct lot *own = lot_find(member, &entry->original, LOT_NUMBER);
    if (own && !lot_take(deciding, entry, LEG_CLAWED_BACK, own, &wanted))
        return false;
    for (struct lot *lot = member->lots; lot && wanted > 0; lot = lot->next)
        if (lot->issuer == issuer && !lot_take(deciding, entry, LEG_CLAWED_BACK, lot, &wanted))
            return false;
    if (wanted == 0)
        return true;
    const struct lot none = {
        .issuer = issuer, .earned_at_us = deciding->now_us, .expires_at_us = LEDGER_NEVER};
    return entry_add_leg(entry, LEG_DEBT_MADE, &none, wanted, deciding->arena) &&
           debt_add(deciding, issuer, wanted);
}

bool decide_reverse_earn(const struct deciding *deciding)
{
    const struct ledger_request *request = deciding->request;
    struct member *member = deciding->member;
    bool ok = false;
    const struct entry *original = find_original(deciding, ENTRY_EARN, &ok);
    if (!original)
        return ok;
    struct reversed reversed = reversed_so_far(member, original);
    if (is_wholly_reversed(original, &reversed))
        return refuse_recorded(deciding, RESULT_ALREADY_REVERSED, NULL);
    int64_t rest_minor = original->facts.amount_minor - reversed.amount_minor;
    int64_t refund_minor = request->is_whole ? rest_minor : request->facts.amount_minor;
    assert(refund_minor >= 0);
    if (refund_minor > rest_minor)
        return refuse_recorded(deciding, RESULT_EXCEEDS_ORIGINAL, NULL);

    int64_t claw = clawback(deciding, original, &reversed, refund_minor);
    int64_t funded = points_of_issuer(member, request->merchant_id);
    int64_t debt_after;
    if (claw > funded && !int64_add(member->debt, claw - funded, &debt_after))
        return refuse_recorded(deciding, RESULT_BALANCE_LIMIT, NULL);
    struct entry *entry = entry_create(deciding);
    if (!entry)
        return false;
    entry->points = claw;
    entry->rule_version = original->rule_version;
    entry->facts.amount_minor = refund_minor;
    if (!claw_back(deciding, entry))
        return false;
    next_change_update(member);
    entry_decide(deciding, entry);
    return true;
}

/* Gives a leg's points back to the lot they came from, made again if it was used up (R8). */
static bool restore(const struct deciding *deciding, struct entry *entry, const struct leg *leg)
{
    struct member *member = deciding->member;
    const struct lot as_made = {.entry = leg->lot_entry,
                                .number = (int32_t)leg->lot_number,
                                .issuer = (int32_t)leg->issuer,
                                .earned_at_us = leg->earned_at_us,
                                .expires_at_us = leg->expires_at_us};
    if (!entry_add_leg(entry, LEG_RESTORED, &as_made, leg->points, deciding->arena))
        return false;
    if (leg->expires_at_us <= deciding->now_us)
        return entry_add_leg(entry, LEG_EXPIRED, &as_made, leg->points, deciding->arena);
    struct lot *lot = lot_find(member, &leg->lot_entry, leg->lot_number);
    if (!lot) {
        lot = arena_copy(deciding->arena, &as_made, sizeof as_made);
        if (!lot)
            return false;
        ledger_insert_lot(member, lot);
    }
    lot_set_points(member, lot, lot->points + leg->points);
    return true;
}

bool decide_reverse_redeem(const struct deciding *deciding)
{
    struct member *member = deciding->member;
    bool ok = false;
    const struct entry *original = find_original(deciding, ENTRY_REDEEM, &ok);
    if (!original)
        return ok;
    struct reversed reversed = reversed_so_far(member, original);
    if (is_wholly_reversed(original, &reversed))
        return refuse_recorded(deciding, RESULT_ALREADY_REVERSED, NULL);
    if (!deciding->request->is_whole)
        return refuse_recorded(deciding, RESULT_EXCEEDS_ORIGINAL, NULL);
    int64_t balance;
    if (!int64_add(member->available, original->points, &balance))
        return refuse_recorded(deciding, RESULT_BALANCE_LIMIT, NULL);

    struct entry *entry = entry_create(deciding);
    if (!entry)
        return false;
    entry->points = original->points;
    for (size_t i = original->leg_count; i > 0; i--)
        if (!restore(deciding, entry, &original->legs[i - 1]))
            return false;
    next_change_update(member);
    entry_decide(deciding, entry);
    return true;
}
