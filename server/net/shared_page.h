/* The page that master and workers share, mapped before the fork. Each slot has one writer, its
 * worker; the master writes a slot only while no worker lives in it. Readers take single numbers,
 * each whole, without any order between them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/stats.h"

#define SHARED_SLOT_BYTES 128 /* two cache lines: writers do not disturb each other */

union shared_slot {
    struct worker_stats stats;
    uint8_t room[SHARED_SLOT_BYTES];
};

struct shared_page {
    int64_t started_us;   /* clock_monotonic_us of the master's start */
    uint64_t log_dropped; /* lines of all processes, added atomically */
    int slot_count;
    union shared_slot slots[];
};

struct shared_page *shared_page_create(int slot_count, struct err *err);
void shared_page_destroy(struct shared_page **page);

/* A copy of one slot's counters; pid is 0 while the slot has no worker. */
struct worker_stats shared_page_read(const struct shared_page *page, int slot);

/* Whether some worker can use its database. */
bool shared_page_is_ready(const struct shared_page *page);

/* After a worker died: its gauges end with it, its counters stay. */
void shared_page_clear_worker(struct shared_page *page, int slot);

static inline void stats_add(uint64_t *counter, int64_t difference)
{
    __atomic_store_n(counter, *counter + (uint64_t)difference, __ATOMIC_RELAXED);
}

static inline uint64_t stats_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}
