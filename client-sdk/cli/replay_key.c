/* Owns how a replay's request keys are made. Called by replay.c; pure. */
#include "replay_key.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

void replay_key(enum replay_step step, int64_t event_us, int64_t seq, const char *txn_id,
                uint8_t key_out[LOYAL_KEY_BYTES])
{
    static const char *const STEPS[] = {"enrol", "redeem", "main"};
    static const int64_t BEFORE_MS[] = {2, 1, 0};
    uint64_t ms = (uint64_t)(event_us / 1000 - BEFORE_MS[step]), order = (uint64_t)seq, hash = 0;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char text[96];
    uint64_t high, low;

    assert(seq >= 0 && seq <= UINT32_MAX && event_us >= 2000);
    snprintf(text, sizeof text, "%s:%s", STEPS[step], txn_id);
    SHA256((const uint8_t *)text, strlen(text), digest);
    for (int i = 0; i < 6; i++)
        hash = hash << 8 | digest[i];
    high = ms << 16 | 0x7000 | order >> 20;
    low = (uint64_t)2 << 62 | (order & 0xfffff) << 42 | (hash & 0x3ffffffffff);
    for (int i = 0; i < 8; i++) {
        key_out[i] = (uint8_t)(high >> (56 - 8 * i));
        key_out[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
}
