/* Back-off and its jitter.
 *
 * Called by link.c and exchange.c. It must never wait by itself. */
#include "retry.h"

#include <assert.h>
#include <sys/random.h>
#include <time.h>

struct jitter sdk_jitter_seed(void)
{
    struct jitter jitter = {0};
    if (getrandom(&jitter.state, sizeof jitter.state, 0) != sizeof jitter.state)
        jitter.state = (uint64_t)sdk_now_us() ^ (uint64_t)(uintptr_t)&jitter;
    if (jitter.state == 0)
        jitter.state = 1;
    return jitter;
}

uint64_t sdk_jitter_below(struct jitter *jitter, uint64_t below)
{
    assert(below > 0);
    uint64_t x = jitter->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    jitter->state = x;
    return (x * UINT64_C(0x2545F4914F6CDD1D) >> 11) % below;
}

int64_t sdk_retry_delay_us(struct jitter *jitter, uint32_t failures, uint32_t retry_after_ms)
{
    int64_t delay = 0;
    if (failures > 0) {
        int64_t ceiling = RETRY_BASE_US;
        for (uint32_t i = 1; i < failures && ceiling < RETRY_MAX_US; i++)
            ceiling *= 2;
        if (ceiling > RETRY_MAX_US)
            ceiling = RETRY_MAX_US;
        delay = ceiling / 2 + (int64_t)sdk_jitter_below(jitter, (uint64_t)ceiling / 2 + 1);
    }
    int64_t asked = (int64_t)retry_after_ms * 1000;
    if (asked > 0)
        asked += (int64_t)sdk_jitter_below(jitter, (uint64_t)asked / 4 + 1);
    return asked > delay ? asked : delay;
}

int64_t sdk_now_us(void)
{
    struct timespec now;
    int rc = clock_gettime(CLOCK_MONOTONIC, &now);
    assert(rc == 0);
    (void)rc;
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
