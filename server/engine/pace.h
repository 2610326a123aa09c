/* How fast a lane works, learnt from its batches: so large may a batch be that who comes next need
 * not wait long, and so many may wait as it can do in the time given. A batch is as large as pays
 * (one commit for many) while many ask for more; when few merchants have much more waiting than the
 * others it is short, lest those who ask little wait for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/cost.h"

struct pace {
    int batch_max;   /* as configured */
    int batch_now;   /* as large as takes PACE_BATCH_US, or as pays; batch_max at most */
    int batch_short; /* of the batch that begins: as large as takes PACE_SHORT_US, or as pays */
    int64_t each_ns; /* of a posting while more wait; 0: none has left any waiting yet */
    struct cost cost;
    int crowd[2]; /* the most merchants who waited at the start of a batch: lately, and before */
    int64_t crowd_since_us;
    uint32_t batches;
};

#define PACE_BATCH_US    50000
#define PACE_SHORT_US    2500
#define PACE_BATCH_LEAST 50     /* smaller ones cost more than they save */
#define PACE_CROWD_US    500000 /* so long, or twice, counts who waited */

void pace_init(struct pace *pace, int batch_max);
/* Another batch_max. */
void pace_limit(struct pace *pace, int batch_max);
/* A batch begins, for which so many merchants wait; now_us of the monotonic clock. */
void pace_begin(struct pace *pace, int merchants, int64_t now_us);
/* Whether it goes with so many postings, while so many merchants still have so many waiting. When
 * the others alone make it so large, whoever has much more gets no more of it than each of them. */
bool pace_is_enough(const struct pace *pace, int count, int merchants, int waiting);
/* A batch of so many took so long. is_short: it was enough, and not full. */
void pace_note(struct pace *pace, int count, int64_t took_us, bool is_short);
/* How many are done within the time, INT_MAX while nothing is known; two batches at least, so that
 * the lane never idles. */
int pace_count_in(const struct pace *pace, int64_t us);
/* How long so many take. */
int64_t pace_us_of(const struct pace *pace, int count);
