/* Which member an identifier was of when it was last asked for: saves a posting the question before
 * the lock (S0). Only hints: every batch proves them under its locks. Bounded; a newer one takes
 * the place of an older. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

struct hints;

/* NULL without memory. */
struct hints *hints_create(void);
void hints_destroy(struct hints **hints);

/* -1: none, or one is awaited: what comes later goes to S0 as well, behind what is there. */
int64_t hints_find(const struct hints *hints, const uint8_t identifier_hash[HASH_BYTES]);
void hints_put(struct hints *hints, const uint8_t identifier_hash[HASH_BYTES], int64_t member_id);
/* A posting with this identifier goes to S0, and has come back or ended. */
void hints_await(struct hints *hints, const uint8_t identifier_hash[HASH_BYTES]);
void hints_settle(struct hints *hints, const uint8_t identifier_hash[HASH_BYTES]);
void hints_drop(struct hints *hints, const uint8_t identifier_hash[HASH_BYTES]);
