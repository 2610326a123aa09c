/* Counters of one worker, in a page that all processes share and this worker alone writes; the
 * master adds them up. */
#pragma once

#include <stdint.h>

struct worker_stats {
    uint64_t pid;
    uint64_t connections; /* open now */
    uint64_t requests;
    uint64_t batches;
    uint64_t postings; /* in those batches: postings / batches is the mean batch size */
    uint64_t refused;
    uint64_t retried;
    uint64_t unknown;
    uint64_t ready; /* 1: the database can be used */
};
