/* When to try again: jittered exponential back-off, and the clock that deadlines are kept by.
 *
 * Called by the client's link and by its pending requests. Pure but for the clock and the first
 * seed. */
#ifndef LOYAL_SDK_RETRY_H
#define LOYAL_SDK_RETRY_H

#include <stdint.h>

#define RETRY_BASE_US INT64_C(50000)
#define RETRY_MAX_US  INT64_C(2000000)

/* xorshift64*: it spreads clients in time and need not be unpredictable. Never 0. */
struct jitter {
    uint64_t state;
};

struct jitter sdk_jitter_seed(void);
/* 0..below-1; below is above 0. */
uint64_t sdk_jitter_below(struct jitter *jitter, uint64_t below);

/* Microseconds to wait before attempt number `failures` + 1: between half of and all of
 * min(RETRY_MAX_US, RETRY_BASE_US x 2^(failures-1)); of no failures, 0. Where the server asked to
 * wait retry_after_ms, that and up to a quarter more, if it is longer. */
int64_t sdk_retry_delay_us(struct jitter *jitter, uint32_t failures, uint32_t retry_after_ms);

/* CLOCK_MONOTONIC in microseconds. */
int64_t sdk_now_us(void);

#endif
