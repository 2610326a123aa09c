/* Whether what the store read of a member can be true at all. The other files add, subtract and
 * assert without looking again; a row that somebody spoilt fails its own request, not the process.
 * Changes nothing. */
#include "ledger/ledger.h"

#include "base/int64.h"

static bool add_points(int64_t points, int64_t *sum)
{
    return points > 0 && int64_add(*sum, points, sum);
}

static const char *lots_fault(const struct member *member)
{
    int64_t sum = 0;
    for (const struct lot *lot = member->lots; lot; lot = lot->next)
        if (!add_points(lot->points, &sum))
            return "a lot's points";
    if (!member->lots_read)
        return NULL;
    if (sum != member->available)
        return "the sum of his lots";
    return member->lots && member->lots->expires_at_us < member->next_change_at_us
               ? "the earliest expiry of his lots"
               : NULL;
}

static const char *debts_fault(const struct member *member)
{
    int64_t sum = 0;
    for (const struct debt *debt = member->debts; debt; debt = debt->next)
        if (!add_points(debt->points, &sum))
            return "a debt's points";
    return member->debts_read && sum != member->debt ? "the sum of his debts" : NULL;
}

static bool is_rule(const struct ledger_terms *terms, int32_t version)
{
    for (size_t i = 0; i < terms->rule_count; i++)
        if (terms->rules[i].version == version)
            return true;
    return version == 0;
}

/* A redemption's legs are what its reversal gives back. */
static const char *entry_fault(const struct entry *entry, const struct ledger_terms *terms)
{
    int64_t sum = 0;
    if (entry->points < 0 || entry->facts.amount_minor < 0 || entry->facts.paid_in_points_minor < 0)
        return "an entry's points or amounts";
    for (size_t i = 0; i < entry->leg_count; i++)
        if (!add_points(entry->legs[i].points, &sum))
            return "a leg's points";
    if (entry->kind == ENTRY_REDEEM && sum != entry->points)
        return "the legs of a redemption";
    return entry->kind == ENTRY_EARN && !is_rule(terms, entry->rule_version)
               ? "the rule of an entry"
               : NULL;
}

const char *ledger_fault(const struct member *member, const struct ledger_terms *terms)
{
    if (member->available < 0 || member->debt < 0 || member->seq < 0 || member->seq == INT64_MAX)
        return "his row";
    const char *fault = lots_fault(member);
    fault = fault ? fault : debts_fault(member);
    for (const struct entry *entry = member->entries; entry && !fault; entry = entry->next)
        fault = entry_fault(entry, terms);
    return fault;
}
