/* What the ledger's tests share: a member of his own for each test, and requests to make of him. */
#pragma once

#include "ledger_world.h"

static inline struct ledger_request ask_earn(struct world *world, int merchant, int64_t amount)
{
    struct ledger_request request = ask(world, ENTRY_EARN, merchant);
    request.facts.amount_minor = amount;
    return request;
}

/* Earns exactly this many points, in a lot that expires at the instant given (through the member's
 * list, as if it had been read). */
static inline struct lot *give(struct world *world, int issuer, int64_t points,
                               int64_t expires_at_us)
{
    struct ledger_request request = ask_earn(world, issuer, points);
    request.rule = *rule_of(world, RULE_1_PER_CENT);
    expect(world, &request, RESULT_OK);
    struct lot **at = &world->member.lots;
    while (!uuid_equal(&(*at)->entry, &request.key))
        at = &(*at)->next;
    struct lot *lot = *at;
    *at = lot->next;
    lot->expires_at_us = expires_at_us;
    struct entry *entry = world->member.entries;
    while (!uuid_equal(&entry->id, &request.key))
        entry = entry->next;
    entry->legs[0].expires_at_us = expires_at_us;
    ledger_insert_lot(&world->member, lot);
    world->member.next_change_at_us = LEDGER_NEVER;
    for (const struct lot *each = world->member.lots; each; each = each->next)
        if (each->points > 0 && each->expires_at_us < world->member.next_change_at_us)
            world->member.next_change_at_us = each->expires_at_us;
    return lot;
}

static inline struct ledger_request ask_redeem(struct world *world, int merchant, int64_t points)
{
    struct ledger_request request = ask(world, ENTRY_REDEEM, merchant);
    request.points = points;
    return request;
}

/* A reversal of part of a purchase; amount 0: of all that is left. */
static inline struct ledger_request ask_reverse(struct world *world, enum entry_kind kind,
                                                const struct ledger_request *original,
                                                int64_t amount)
{
    struct ledger_request request = ask(world, kind, original->merchant_id);
    request.has_original = true;
    request.original = original->key;
    request.is_whole = amount == 0;
    request.facts.amount_minor = amount;
    return request;
}
