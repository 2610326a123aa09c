/* Lots past their expiry leave the books by an entry of the network's own (R21). It is made before
 * anything else is decided for the member, so that no other file meets an expired lot. */
#include "ledger/decide.h"

/* An id and a salt that depend on the member's history alone, so that the same history gives the
 * same journal. */
static void derive(const struct member *member, int64_t now_us, struct entry *entry)
{
    uint8_t bytes[HASH_BYTES + 16], hash[HASH_BYTES];
    uint8_t *at = put_bytes(bytes, member->chain, HASH_BYTES);
    at = put_u64(at, (uint64_t)member->member_id);
    at = put_u64(at, (uint64_t)member->seq + 1);
    hash_sha256(bytes, (size_t)(at - bytes), hash);
    entry->id = uuid_compose(now_us, hash);
    memcpy(entry->facts.salt, hash + HASH_BYTES - LEDGER_SALT_BYTES, LEDGER_SALT_BYTES);
}

bool expiry_enter(const struct deciding *deciding, const struct entry **entry_out)
{
    struct member *member = deciding->member;
    *entry_out = NULL;
    if (member->next_change_at_us > deciding->now_us)
        return true;
    struct entry *entry = arena_alloc(deciding->arena, sizeof *entry);
    if (!entry)
        return false;
    entry->is_new = true;
    entry->kind = ENTRY_EXPIRY;
    entry->merchant_id = LEDGER_NETWORK;
    entry->facts.occurred_at_us = deciding->now_us;
    derive(member, deciding->now_us, entry);
    for (struct lot *lot = member->lots; lot; lot = lot->next) {
        int64_t expired = lot->expires_at_us <= deciding->now_us ? lot->points : 0;
        entry->points += expired;
        if (!lot_take(deciding, entry, LEG_EXPIRED, lot, &expired))
            return false;
    }
    next_change_update(member);
    if (entry->leg_count == 0)
        return true;
    entry_append(entry, member, deciding->now_us);
    *entry_out = entry;
    return true;
}
