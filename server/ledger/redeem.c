/* A redemption takes points from the member's lots in R18 order, whoever issued them, at any
 * merchant of the network. */
#include "ledger/decide.h"

#include <assert.h>

bool decide_redeem(const struct deciding *deciding)
{
    struct member *member = deciding->member;
    int64_t wanted = deciding->request->points;
    assert(wanted > 0);
    if (ledger_available_at(member, deciding->now_us) < wanted)
        return refuse_recorded(deciding, RESULT_NOT_ENOUGH_POINTS, NULL);

    struct entry *entry = entry_create(deciding);
    if (!entry)
        return false;
    entry->points = wanted;
    for (struct lot *lot = member->lots; lot && wanted > 0; lot = lot->next)
        if (!lot_take(deciding, entry, LEG_REDEEMED, lot, &wanted))
            return false;
    assert(wanted == 0);
    next_change_update(member);
    entry_decide(deciding, entry);
    return true;
}
