/* How fast a lane works, learnt from its full batches: so large may a batch be that who comes next
 * need not wait long, and so many may wait as it can do in the time given. */
#pragma once

#include <stdint.h>

struct pace {
    int batch_max;   /* as configured */
    int batch_now;   /* as large as takes PACE_BATCH_US, batch_max at most */
    int64_t each_ns; /* of a full batch's postings; 0: none was full yet */
};

#define PACE_BATCH_US    25000
#define PACE_BATCH_LEAST 50 /* smaller ones cost more than they save */

void pace_init(struct pace *pace, int batch_max);
/* Another batch_max. */
void pace_limit(struct pace *pace, int batch_max);
/* A batch of so many took so long. */
void pace_note(struct pace *pace, int count, int64_t took_us);
/* How many are done within the time, INT_MAX while nothing is known; two batches at least, so that
 * the lane never idles. */
int pace_count_in(const struct pace *pace, int64_t us);
/* How long so many take. */
int64_t pace_us_of(const struct pace *pace, int count);
