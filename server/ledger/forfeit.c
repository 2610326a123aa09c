/* An erasure takes what is left of a member's points out of the books (R29), in R18 order, whoever
 * issued them; his debts stay, since only a write-off ends one (R7). He is erased from then on: the
 * facts of his entries are blanked behind this batch by another role. */
#include "ledger/decide.h"

bool decide_forfeit(const struct deciding *deciding)
{
    struct member *member = deciding->member;
    deciding->decision->code = RESULT_OK;
    if (member->status == MEMBER_ERASED) /* under another key: nothing is left to forfeit */
        return true;
    struct entry *entry = entry_create(deciding);
    if (!entry)
        return false;
    entry->points = member->available;
    for (struct lot *lot = member->lots; lot; lot = lot->next) {
        int64_t left = lot->points;
        if (!lot_take(deciding, entry, LEG_EXPIRED, lot, &left))
            return false;
    }
    next_change_update(member);
    member->status = MEMBER_ERASED;
    entry_decide(deciding, entry);
    return true;
}
