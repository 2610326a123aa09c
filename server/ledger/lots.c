/* Lots and debts of a member in memory. Each change keeps the member's sums and marks what the
 * store has to write; nothing here decides whether a change is due. */
#include <assert.h>

#include "ledger/decide.h"

/* R18: expiry, earned-at, lot id; never is the last instant of all. */
static int lot_compare(const struct lot *a, const struct lot *b)
{
    if (a->expires_at_us != b->expires_at_us)
        return a->expires_at_us < b->expires_at_us ? -1 : 1;
    if (a->earned_at_us != b->earned_at_us)
        return a->earned_at_us < b->earned_at_us ? -1 : 1;
    int by_entry = uuid_compare(&a->entry, &b->entry);
    if (by_entry != 0)
        return by_entry;
    return (a->number > b->number) - (a->number < b->number);
}

void ledger_insert_lot(struct member *member, struct lot *lot)
{
    struct lot **at = &member->lots;
    while (*at && lot_compare(*at, lot) < 0)
        at = &(*at)->next;
    lot->next = *at;
    *at = lot;
}

int64_t ledger_available_at(const struct member *member, int64_t at_us)
{
    assert(member->lots_read);
    int64_t points = 0;
    for (const struct lot *lot = member->lots; lot; lot = lot->next)
        if (lot->expires_at_us > at_us)
            points += lot->points; /* a part of member->available, which is an int64 */
    return points;
}

struct lot *lot_find(const struct member *member, const struct uuid *entry, int64_t number)
{
    struct lot *lot = member->lots;
    while (lot && !(lot->number == number && uuid_equal(&lot->entry, entry)))
        lot = lot->next;
    return lot;
}

static enum change change_of(bool is_stored, int64_t points)
{
    if (is_stored)
        return points > 0 ? CHANGE_UPDATE : CHANGE_DELETE;
    return points > 0 ? CHANGE_INSERT : CHANGE_NONE;
}

void lot_set_points(struct member *member, struct lot *lot, int64_t points)
{
    assert(points >= 0);
    member->available += points - lot->points;
    assert(member->available >= 0);
    lot->points = points;
    lot->change = change_of(lot->is_stored, points);
}

bool lot_take(const struct deciding *deciding, struct entry *entry, enum leg_kind kind,
              struct lot *lot, int64_t *wanted)
{
    int64_t taken = *wanted < lot->points ? *wanted : lot->points;
    if (taken == 0)
        return true;
    if (!entry_add_leg(entry, kind, lot, taken, deciding->arena))
        return false;
    lot_set_points(deciding->member, lot, lot->points - taken);
    *wanted -= taken;
    return true;
}

/* Used-up lots stay in the list until they are written; the first with points expires first. */
void next_change_update(struct member *member)
{
    if (!member->lots_read)
        return;
    const struct lot *lot = member->lots;
    while (lot && lot->points == 0)
        lot = lot->next;
    member->next_change_at_us = lot ? lot->expires_at_us : LEDGER_NEVER;
}

void next_change_note(struct member *member, int64_t expires_at_us)
{
    if (expires_at_us < member->next_change_at_us)
        member->next_change_at_us = expires_at_us;
}

struct debt *debt_find(const struct member *member, int32_t issuer)
{
    struct debt *debt = member->debts;
    while (debt && debt->issuer != issuer)
        debt = debt->next;
    return debt;
}

static void debt_set_points(struct member *member, struct debt *debt, int64_t points)
{
    assert(points >= 0);
    member->debt += points - debt->points;
    assert(member->debt >= 0);
    debt->points = points;
    debt->change = change_of(debt->is_stored, points);
}

bool debt_add(const struct deciding *deciding, int32_t issuer, int64_t points)
{
    struct member *member = deciding->member;
    struct debt *debt = debt_find(member, issuer);
    if (!debt) {
        debt = arena_alloc(deciding->arena, sizeof *debt);
        if (!debt)
            return false;
        debt->issuer = issuer;
        debt->next = member->debts;
        member->debts = debt;
    }
    debt_set_points(member, debt, debt->points + points);
    return true;
}

void debt_repay(struct member *member, struct debt *debt, int64_t points)
{
    debt_set_points(member, debt, debt->points - points);
}
