/* Owns the arithmetic of a lane's pace. Called by lane.c. */
#include "engine/pace.h"

#include <limits.h>

#define SLOWER_MAX 4 /* one batch that waits for a lock says little of those to come */

void pace_init(struct pace *pace, int batch_max)
{
    *pace = (struct pace){.batch_max = batch_max, .batch_now = batch_max, .batch_short = batch_max};
}

void pace_limit(struct pace *pace, int batch_max)
{
    if (pace->batch_max != batch_max)
        pace->batch_max = pace->batch_now = pace->batch_short = batch_max;
}

/* Who waits no more is forgotten in some dozens of batches, one by one. */
void pace_begin(struct pace *pace, int merchants)
{
    pace->crowd_16th -= (pace->crowd_16th + 15) / 16;
    if (pace->crowd_16th < 16 * merchants)
        pace->crowd_16th = 16 * merchants;
}

/* One of several merchants, or one of eight, still waits: the others have all been taken. */
bool pace_is_enough(const struct pace *pace, int count, int merchants)
{
    int crowd = (pace->crowd_16th + 15) / 16;
    bool is_few = 8 * merchants <= crowd || (merchants == 1 && crowd > 1);
    return count >= pace->batch_now || (count >= pace->batch_short && is_few);
}

static int least(const struct pace *pace)
{
    return pace->batch_max < PACE_BATCH_LEAST ? pace->batch_max : PACE_BATCH_LEAST;
}

void pace_note(struct pace *pace, int count, int64_t took_us)
{
    if (count < (pace->batch_now + 1) / 2)
        return; /* nobody waited: it says nothing of how many it could be */
    int64_t each_ns = took_us * 1000 / count;
    if (pace->each_ns && each_ns > SLOWER_MAX * pace->each_ns)
        each_ns = SLOWER_MAX * pace->each_ns;
    pace->each_ns = pace->each_ns ? (3 * pace->each_ns + each_ns) / 4 : each_ns;
    if (took_us > PACE_BATCH_US)
        pace->batch_now -= pace->batch_now / 4;
    else if (count >= pace->batch_now)
        pace->batch_now += pace->batch_now / 8 + 1;
    if (pace->batch_now < least(pace))
        pace->batch_now = least(pace);
    if (pace->batch_now > pace->batch_max)
        pace->batch_now = pace->batch_max;
}

/* As short as takes PACE_SHORT_US, but not so short that a posting takes half as long again as in a
 * full one: where the way to the database is long, short ones would only cost. */
void pace_note_short(struct pace *pace, int count, int64_t took_us)
{
    bool is_dear = took_us * 2000 > 3 * pace->each_ns * count;
    if (count == 0)
        return;
    if (is_dear || took_us < PACE_SHORT_US / 2)
        pace->batch_short += pace->batch_short / 4 + 1;
    else if (took_us > PACE_SHORT_US)
        pace->batch_short -= pace->batch_short / 8;
    if (pace->batch_short > pace->batch_max)
        pace->batch_short = pace->batch_max;
}

int pace_count_in(const struct pace *pace, int64_t us)
{
    if (!pace->each_ns)
        return INT_MAX;
    int64_t count = us * 1000 / pace->each_ns;
    if (count < 2 * pace->batch_now)
        count = 2 * pace->batch_now;
    return count < INT_MAX ? (int)count : INT_MAX;
}

int64_t pace_us_of(const struct pace *pace, int count)
{
    return count * pace->each_ns / 1000;
}
