/* Owns the arithmetic of what work costs. Called by pace.c. */
#include "engine/cost.h"

#include <limits.h>

#define LATE_MAX 4
#define AT_ONCE_US \
    (COST_MEMORY_US / 16.0) /* no piece of work makes more forgotten: some stay known */

void cost_note(struct cost *cost, int count, int64_t took_us)
{
    double n = count, us = (double)took_us;
    double keep = COST_MEMORY_US / (COST_MEMORY_US + (us < AT_ONCE_US ? us : AT_ONCE_US));
    double late_us = LATE_MAX * (cost->fixed_us + n * cost->each_us);
    if (cost->weight >= COST_KNOWN && late_us > 0 && us > late_us)
        us = late_us;
    cost->weight = keep * cost->weight + 1;
    cost->sum_n = keep * cost->sum_n + n;
    cost->sum_us = keep * cost->sum_us + us;
    cost->sum_nn = keep * cost->sum_nn + n * n;
    cost->sum_nus = keep * cost->sum_nus + n * us;
    double mean_n = cost->sum_n / cost->weight, mean_us = cost->sum_us / cost->weight;
    double spread = cost->sum_nn / cost->weight - mean_n * mean_n;
    double common = cost->sum_nus / cost->weight - mean_n * mean_us;
    double known_us = cost->fixed_us + cost->each_us * mean_n;
    if (spread > mean_n * mean_n / 64 && common > 0)
        cost->each_us = common / spread;
    else if (known_us > 0) /* sizes are too much alike to tell: both are as much slower */
        cost->each_us *= mean_us / known_us;
    if (cost->each_us * mean_n > mean_us)
        cost->each_us = mean_us / mean_n;
    cost->fixed_us = mean_us - cost->each_us * mean_n;
}

int cost_count_in(const struct cost *cost, int64_t us)
{
    if (cost->weight < COST_KNOWN || cost->each_us <= 0)
        return 0;
    double left_us = (double)us - cost->fixed_us;
    double count = (left_us > cost->fixed_us ? left_us : cost->fixed_us) / cost->each_us;
    return count < 1 ? 1 : count < INT_MAX / 2 ? (int)(count + 0.5) : INT_MAX / 2;
}
