/* Owns the table of hints: one place for each slot of the hash, the last one put there wins. */
#include "engine/hints.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS (1u << 18) /* 10 MB when full; pages never touched cost nothing */

struct hint {
    uint8_t identifier_hash[HASH_BYTES];
    int64_t member_id;
    uint32_t awaited; /* postings at S0, of whatever identifier the slot is for */
    bool is_there;
};

struct hints {
    struct hint slots[SLOTS];
};

struct hints *hints_create(void)
{
    return calloc(1, sizeof(struct hints));
}

void hints_destroy(struct hints **hints)
{
    free(*hints);
    *hints = NULL;
}

/* The hash is keyed: its first bytes are as good as random, and nobody outside can aim at a slot.
 */
static struct hint *slot_of(const struct hints *hints, const uint8_t identifier_hash[HASH_BYTES])
{
    return (struct hint *)&hints->slots[get_u32(identifier_hash) % SLOTS];
}

int64_t hints_find(const struct hints *hints, const uint8_t identifier_hash[HASH_BYTES])
{
    const struct hint *hint = slot_of(hints, identifier_hash);
    bool is_his = hint->is_there && hint->awaited == 0 &&
                  !memcmp(hint->identifier_hash, identifier_hash, HASH_BYTES);
    return is_his ? hint->member_id : -1;
}

void hints_put(struct hints *hints, const uint8_t identifier_hash[HASH_BYTES], int64_t member_id)
{
    struct hint *hint = slot_of(hints, identifier_hash);
    memcpy(hint->identifier_hash, identifier_hash, HASH_BYTES);
    hint->member_id = member_id;
    hint->is_there = true;
}

void hints_await(struct hints *hints, const uint8_t identifier_hash[HASH_BYTES])
{
    slot_of(hints, identifier_hash)->awaited++;
}

void hints_settle(struct hints *hints, const uint8_t identifier_hash[HASH_BYTES])
{
    slot_of(hints, identifier_hash)->awaited--;
}

void hints_drop(struct hints *hints, const uint8_t identifier_hash[HASH_BYTES])
{
    struct hint *hint = slot_of(hints, identifier_hash);
    if (!memcmp(hint->identifier_hash, identifier_hash, HASH_BYTES))
        hint->is_there = false;
}
