/* How fast a lane works, learnt from its full batches: so large may a batch be that who comes next
 * need not wait long, and so many may wait as it can do in the time given. A batch is as large as
 * pays (one commit for many) while many ask for more; when few merchants have more waiting than the
 * others, what they have piled up goes in shorter ones, lest those who ask little wait for it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pace {
    int batch_max;   /* as configured */
    int batch_now;   /* as large as takes PACE_BATCH_US, batch_max at most */
    int batch_short; /* as large as takes PACE_SHORT_US, or as pays */
    int64_t each_ns; /* of a full batch's postings; 0: none was full yet */
    int crowd_16th;  /* the most merchants who waited at the start of a batch, forgotten slowly */
};

#define PACE_BATCH_US    50000
#define PACE_SHORT_US    5000
#define PACE_BATCH_LEAST 50 /* smaller ones cost more than they save */

void pace_init(struct pace *pace, int batch_max);
/* Another batch_max. */
void pace_limit(struct pace *pace, int batch_max);
/* A batch begins, for which so many merchants wait. */
void pace_begin(struct pace *pace, int merchants);
/* Whether it goes with so many postings, while so many merchants still wait. */
bool pace_is_enough(const struct pace *pace, int count, int merchants);
/* A batch of so many took so long. */
void pace_note(struct pace *pace, int count, int64_t took_us);
/* One that was enough, and not full. */
void pace_note_short(struct pace *pace, int count, int64_t took_us);
/* How many are done within the time, INT_MAX while nothing is known; two batches at least, so that
 * the lane never idles. */
int pace_count_in(const struct pace *pace, int64_t us);
/* How long so many take. */
int64_t pace_us_of(const struct pace *pace, int count);
