/* The page that all processes share, mapped before the fork. Each slot has one writer, its
 * process; the master writes a slot only while nobody lives in it. Readers take single numbers,
 * each whole, without any order between them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/stats.h"

#define CACHE_LINE_BYTES 64

/* Whole cache lines: writers do not disturb each other. */
struct shared_slot {
    struct worker_stats stats;
} __attribute__((aligned(CACHE_LINE_BYTES)));

struct shared_page {
    int64_t started_us;      /* clock_monotonic_us of the master's start */
    uint64_t log_dropped;    /* lines of all processes, added atomically */
    uint64_t is_waiting;     /* 1: the predecessor serves; no worker accepts yet */
    uint64_t is_handed_over; /* 1: the successor serves */
    int slot_count;          /* of workers */
    struct master_stats master;
    struct stats_process admin __attribute__((aligned(CACHE_LINE_BYTES)));
    struct maintenance_stats maintenance __attribute__((aligned(CACHE_LINE_BYTES)));
    struct shared_slot slots[];
};

struct shared_page *shared_page_create(int slot_count, struct err *err);
void shared_page_destroy(struct shared_page **page);

/* How many workers can use their database. */
int shared_page_ready_count(const struct shared_page *page);
/* Whether some worker can use its database. */
bool shared_page_is_ready(const struct shared_page *page);

/* Who is no worker. */
#define SHARED_PAGE_MAINTENANCE (-1)
#define SHARED_PAGE_ADMIN       (-2)

struct stats_process *shared_page_process(struct shared_page *page, int slot);
/* After a process died: its gauges end with it, its counters stay. */
void shared_page_clear(struct shared_page *page, int slot);
