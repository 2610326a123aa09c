/* What each process counts and says of itself, in a page that all share and each writes its own
 * slot of; the admin port reads them. Times are microseconds. Numbers are taken one by one, each
 * whole, without any order between them.
 *
 * Gauges tell of the process that lives in the slot and end with it; counters go on in its
 * successor, so that they never go back while the daemon lives. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/stats_kinds.h"

#define STATS_VERBS    80 /* by number of the request's body; 0: could not be read */
#define STATS_CODES    64 /* by number of loyal.v1.ResultCode */
#define STATS_TIMES    15 /* bounds of a histogram of times; one more bucket is above them */
#define STATS_SIZES    10 /* the same of sizes */
#define STATS_FAILURES 5  /* of enum lane_failure, without LANE_GOOD */

/* Not added up: each observation is in one bucket. */
struct stats_times {
    uint64_t buckets[STATS_TIMES + 1];
    uint64_t sum_us;
};

struct stats_sizes {
    uint64_t buckets[STATS_SIZES + 1];
    uint64_t sum;
};

struct stats_process {
    uint64_t beat_us; /* monotonic, of the last sign of life */
    uint64_t resident_bytes;
    uint64_t open_files;
};

struct worker_stats {
    /* gauges */
    uint64_t pid;         /* 0: nobody lives in the slot */
    uint64_t started_us;  /* real */
    uint64_t connections; /* open now */
    uint64_t ready;       /* 1: the database can be used */
    uint64_t reason;      /* enum stats_reason, while it is not */
    uint64_t reason_link; /* enum stats_link, of the first three about the database */
    struct stats_process process;
    uint64_t conns[STATS_CONNS]; /* connections by state */
    uint64_t in_flight;          /* requests */
    uint64_t queued[STATS_QUEUES];
    uint64_t oldest_us[STATS_QUEUES]; /* how long the first one has waited */
    uint64_t links[STATS_LINKS];      /* database connections that are ready */
    uint64_t reference_epoch;
    uint64_t reload_failed; /* 1: it serves with the settings before the last SIGHUP */
    /* counters */
    uint64_t requests;
    uint64_t batches;
    uint64_t postings; /* in those batches: postings / batches is the mean batch size */
    uint64_t verbs[STATS_VERBS];
    uint64_t answers[STATS_CODES];
    struct stats_times durations[STATS_CLASSES]; /* from receipt to answer */
    struct stats_sizes batch_postings;
    struct stats_times batch_times;  /* from the first statement to the last result */
    struct stats_times commit_times; /* from the writes on */
    uint64_t batches_failed[STATS_FAILURES];
    uint64_t links_lost[STATS_LINKS];
    uint64_t accepted;
    uint64_t accept_shortages;
    uint64_t handshakes_failed[STATS_HANDSHAKES];
    uint64_t peers_cut; /* they stood still */
};

/* Of the maintenance process; its engine's connections are counted like a worker's. */
struct maintenance_stats {
    struct worker_stats engine;
    uint64_t lease_held;               /* a gauge */
    uint64_t success_us[STATS_DUTIES]; /* real; 0: not since the daemon's start */
    uint64_t partitions_until_us;      /* domain: up to then they are there for sure */
};

struct master_stats {
    struct stats_process process;
    uint64_t started_us; /* real */
    uint64_t draining;
    uint64_t worker_restarts, maintenance_restarts, admin_restarts;
    uint64_t hung;          /* killed, because they gave no sign of life */
    uint64_t reload_failed; /* the last one */
    uint64_t reload_us;     /* real, of the last one that succeeded, or of the start */
    uint64_t certificate_until_us, authority_until_us; /* the first of them that ends */
    uint64_t connections_max, queue_max;               /* of a worker, by the configuration */
};

extern const uint64_t STATS_TIME_BOUNDS_US[STATS_TIMES];
extern const uint64_t STATS_SIZE_BOUNDS[STATS_SIZES];

void stats_time(struct stats_times *times, int64_t us);
void stats_size(struct stats_sizes *sizes, uint64_t size);
/* A sign of life; memory and files as well when they are asked for. */
void stats_process(struct stats_process *process, bool measure);

static inline void stats_set(uint64_t *gauge, uint64_t value)
{
    __atomic_store_n(gauge, value, __ATOMIC_RELAXED);
}

static inline void stats_add(uint64_t *counter, int64_t difference)
{
    __atomic_store_n(counter, *counter + (uint64_t)difference, __ATOMIC_RELAXED);
}

static inline uint64_t stats_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}
