/* The keys of a replay: the same row always has the same, so that a second replay finds the first
 * one's answers. */
#pragma once

#include <stdint.h>

#include <loyal/loyal.h>

enum replay_step { REPLAY_ENROL, REPLAY_REDEEM, REPLAY_MAIN, REPLAY_STEPS };

/* A UUIDv7 of event_us in milliseconds: 32 bits of seq, so that keys of one instant keep the file's
 * order, then 42 bits of a hash of step and txn_id. A redemption's is a millisecond before its
 * purchase's, an enrolment's two. seq < 2^32. */
void replay_key(enum replay_step step, int64_t event_us, int64_t seq, const char *txn_id,
                uint8_t key_out[LOYAL_KEY_BYTES]);
