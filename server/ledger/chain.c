/* The hash chain of a member's journal: each new entry is bound to the one before, its facts by
 * their salted hash, so that they can be blanked later and the chain stays valid. The encoding is
 * what PostgreSQL's send functions give, so that SQL can check it. */
#include "ledger/ledger.h"

#include <assert.h>

#include "ledger/legs.h"

#define OID_BIGINT 20

static uint8_t *put_time(uint8_t *at, int64_t at_us)
{
    return put_u64(at, (uint64_t)time_since_2000(at_us));
}

static uint8_t *put_text(uint8_t *at, const struct text *text)
{
    at = put_u32(at, (uint32_t)text->size);
    return text->size > 0 ? put_bytes(at, text->bytes, text->size) : at;
}

static size_t facts_bytes(const struct facts *facts)
{
    size_t bytes = 128 + facts->till.size + facts->receipt.size + facts->currency.size;
    for (size_t i = 0; i < facts->line_count; i++)
        bytes += 32 + facts->lines[i].product.size + facts->lines[i].category.size;
    return bytes;
}

static uint8_t *put_facts(uint8_t *at, const struct facts *facts)
{
    at = put_bytes(at, facts->salt, LEDGER_SALT_BYTES);
    at = put_u32(at, (uint32_t)facts->store_id);
    at = put_u32(at, (uint32_t)facts->terminal_id);
    at = put_u16(at, (uint16_t)facts->channel);
    at = put_text(at, &facts->till);
    at = put_text(at, &facts->receipt);
    at = put_u32(at, (uint32_t)facts->part);
    at = put_u32(at, (uint32_t)facts->business_date);
    at = put_time(at, facts->occurred_at_us);
    at = put_u64(at, (uint64_t)facts->amount_minor);
    at = put_u64(at, (uint64_t)facts->paid_in_points_minor);
    at = put_text(at, &facts->currency);
    for (size_t i = 0; i < facts->line_count; i++) {
        const struct basket_line *line = &facts->lines[i];
        at = put_text(at, &line->product);
        at = put_text(at, &line->category);
        at = put_u64(at, (uint64_t)line->quantity_milli);
        at = put_u64(at, (uint64_t)line->amount_minor);
        at = put_u64(at, (uint64_t)line->points);
    }
    return at;
}

/* As array_send writes a bigint[]. */
static uint8_t *put_legs(uint8_t *at, const struct leg *legs, size_t count)
{
    at = put_u32(at, count > 0); /* dimensions */
    at = put_u32(at, 0);         /* no nulls */
    at = put_u32(at, OID_BIGINT);
    if (count == 0)
        return at;
    at = put_u32(at, (uint32_t)(count * LEG_VALUES));
    at = put_u32(at, 1); /* first index */
    for (size_t i = 0; i < count; i++) {
        int64_t values[LEG_VALUES];
        ledger_legs_encode(&legs[i], 1, values);
        for (size_t k = 0; k < LEG_VALUES; k++) {
            at = put_u32(at, sizeof values[k]);
            at = put_u64(at, (uint64_t)values[k]);
        }
    }
    return at;
}

static size_t entry_bytes(const struct entry *entry)
{
    return 256 + entry->leg_count * LEG_VALUES * 12;
}

static uint8_t *put_entry(uint8_t *at, const struct member *member, const struct entry *entry)
{
    static const struct uuid none;
    at = put_bytes(at, member->chain, HASH_BYTES);
    at = put_u16(at, (uint16_t)member->bucket);
    at = put_u64(at, (uint64_t)member->member_id);
    at = put_bytes(at, entry->id.bytes, UUID_BYTES);
    at = put_u64(at, (uint64_t)entry->seq);
    at = put_time(at, entry->decided_at_us);
    at = put_u16(at, (uint16_t)entry->kind);
    at = put_u32(at, (uint32_t)entry->merchant_id);
    at = put_u64(at, (uint64_t)entry->points);
    at = put_u64(at, (uint64_t)entry->balance);
    at = put_u64(at, (uint64_t)entry->debt);
    at = put_u32(at, (uint32_t)entry->rule_version);
    at = put_legs(at, entry->legs, entry->leg_count);
    at = put_bytes(at, entry->has_original ? entry->original.bytes : none.bytes, UUID_BYTES);
    at = put_bytes(at, entry->body_hash, LEDGER_BODY_HASH_BYTES);
    return put_bytes(at, entry->facts_hash, HASH_BYTES);
}

static bool chain_entry(struct member *member, struct entry *entry, struct arena *arena)
{
    size_t facts_room = facts_bytes(&entry->facts), entry_room = entry_bytes(entry);
    size_t room = facts_room > entry_room ? facts_room : entry_room;
    uint8_t *bytes = arena_alloc(arena, room);
    if (!bytes)
        return false;
    size_t size = (size_t)(put_facts(bytes, &entry->facts) - bytes);
    assert(size <= room);
    hash_sha256(bytes, size, entry->facts_hash);
    size = (size_t)(put_entry(bytes, member, entry) - bytes);
    assert(size <= room);
    hash_sha256(bytes, size, entry->chain);
    memcpy(member->chain, entry->chain, HASH_BYTES);
    return true;
}

bool ledger_chain(struct member *member, struct arena *arena)
{
    for (struct entry *entry = member->entries; entry; entry = entry->next)
        if (entry->is_new && !chain_entry(member, entry, arena))
            return false;
    return true;
}
