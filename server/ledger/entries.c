/* Rows of the journal: made, given legs, appended with the member's state after them, and turned
 * into answers. Once appended an entry never changes, but for its hashes (chain.c). */
#include "ledger/decide.h"

#include <assert.h>

struct entry *entry_create(const struct deciding *deciding)
{
    const struct ledger_request *request = deciding->request;
    struct entry *entry = arena_alloc(deciding->arena, sizeof *entry);
    if (!entry)
        return NULL;
    entry->is_new = true;
    entry->id = request->key;
    entry->kind = request->kind;
    entry->merchant_id = request->merchant_id;
    entry->has_original = request->has_original;
    entry->original = request->original;
    memcpy(entry->body_hash, request->body_hash, sizeof entry->body_hash);
    entry->facts = request->facts;
    return entry;
}

/* Room grows at each power of two, which spares a field for it in every entry. */
static bool make_room(struct entry *entry, struct arena *arena)
{
    size_t count = entry->leg_count;
    if (count == 1 || (count & (count - 1)) != 0)
        return true;
    size_t room = count == 0 ? 2 : 2 * count;
    struct leg *legs = arena_alloc(arena, room * sizeof *legs);
    if (!legs)
        return false;
    if (count > 0)
        memcpy(legs, entry->legs, count * sizeof *legs);
    entry->legs = legs;
    return true;
}

bool entry_add_leg(struct entry *entry, enum leg_kind kind, const struct lot *lot, int64_t points,
                   struct arena *arena)
{
    assert(points > 0);
    if (!make_room(entry, arena))
        return false;
    entry->legs[entry->leg_count++] = (struct leg){.kind = kind,
                                                   .lot_entry = lot->entry,
                                                   .lot_number = lot->number,
                                                   .issuer = lot->issuer,
                                                   .points = points,
                                                   .earned_at_us = lot->earned_at_us,
                                                   .expires_at_us = lot->expires_at_us};
    return true;
}

void entry_append(struct entry *entry, struct member *member, int64_t now_us)
{
    entry->seq = ++member->seq;
    entry->decided_at_us = now_us;
    entry->balance = member->available;
    entry->debt = member->debt;
    member->decided_at_us = now_us;
    struct entry **end = &member->entries;
    while (*end)
        end = &(*end)->next;
    *end = entry;
}

void entry_answer(const struct entry *entry, struct decision *decision)
{
    decision->entry = entry;
    decision->points = entry->points;
    decision->balance = entry->balance;
    decision->debt = entry->debt;
    decision->decided_at_us = entry->decided_at_us;
    int64_t made = 0, expires_at_us = 0;
    for (size_t i = 0; i < entry->leg_count; i++) {
        const struct leg *leg = &entry->legs[i];
        if (leg->kind == LEG_MADE) {
            made += leg->points;
            expires_at_us = leg->expires_at_us;
        } else if (leg->kind == LEG_DEBT_REPAID) {
            decision->debt_repaid += leg->points;
        } else if (leg->kind == LEG_DEBT_MADE) {
            decision->debt_made += leg->points;
        } else if (leg->kind == LEG_EXPIRED) {
            decision->expired += leg->points;
        }
    }
    if (made > decision->debt_repaid && expires_at_us != LEDGER_NEVER)
        decision->expires_at_us = expires_at_us;
}

void entry_decide(const struct deciding *deciding, struct entry *entry)
{
    entry_append(entry, deciding->member, deciding->now_us);
    deciding->decision->code = RESULT_OK;
    entry_answer(entry, deciding->decision);
}

const struct entry *entry_find(const struct member *member, const struct uuid *id)
{
    const struct entry *entry = member->entries;
    while (entry && !uuid_equal(&entry->id, id))
        entry = entry->next;
    return entry;
}
