/* What work takes that has a fixed cost and a cost of each piece, learnt from what it took: by
 * least squares over the work of the last second or so. */
#pragma once

#include <stdint.h>

struct cost {
    double weight, sum_n, sum_us, sum_nn, sum_nus; /* what is remembered; all 0 at first */
    double fixed_us, each_us;                      /* each_us 0: nothing tells them apart yet */
};

#define COST_MEMORY_US 1000000 /* of work, not of time that went by: then most is forgotten */
#define COST_KNOWN     8       /* so many pieces of work say enough */

/* Work of so many pieces, 1 at least, took so long. What took more than four times as long as it
 * should have counts for four times: it waited for something else. */
void cost_note(struct cost *cost, int count, int64_t took_us);
/* How many pieces take as long as the time leaves beside the fixed cost, or as long as that itself
 * where it is more: so a piece costs about twice of what it must, at most. 1 at least; 0: nothing
 * is known yet. */
int cost_count_in(const struct cost *cost, int64_t us);
