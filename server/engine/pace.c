/* Owns the arithmetic of a lane's pace. Called by lane.c. */
#include "engine/pace.h"

#include <limits.h>

#define SLOWER_MAX  4 /* one batch that waits for a lock says little of those to come */
#define OTHER_EVERY 8
#define MUCH        8 /* times a short batch */

void pace_init(struct pace *pace, int batch_max)
{
    *pace = (struct pace){.batch_max = batch_max, .batch_now = batch_max, .batch_short = batch_max};
}

void pace_limit(struct pace *pace, int batch_max)
{
    if (pace->batch_max != batch_max)
        pace->batch_max = pace->batch_now = pace->batch_short = batch_max;
}

static void crowd_note(struct pace *pace, int merchants, int64_t now_us)
{
    if (now_us - pace->crowd_since_us >= PACE_CROWD_US) {
        pace->crowd[1] = pace->crowd[0];
        pace->crowd[0] = 0;
        pace->crowd_since_us = now_us;
    }
    if (merchants > pace->crowd[0])
        pace->crowd[0] = merchants;
}

/* Every now and then a short one is twice as large, or smaller where that is too much: from sizes
 * that it chose itself the lane learns what they cost; those that come about are large when it was
 * slow. */
void pace_begin(struct pace *pace, int merchants, int64_t now_us)
{
    crowd_note(pace, merchants, now_us);
    int count = cost_count_in(&pace->cost, PACE_SHORT_US);
    if (count == 0 || count > pace->batch_max)
        count = pace->batch_max;
    if (pace->batches++ % OTHER_EVERY == 0)
        count = count <= pace->batch_max / 2 ? 2 * count : (pace->batch_max + 3) / 4;
    pace->batch_short = count;
}

/* One of several merchants, or one of eight, still has much more waiting: the others have all been
 * taken. */
bool pace_is_enough(const struct pace *pace, int count, int merchants, int waiting)
{
    int crowd = pace->crowd[0] > pace->crowd[1] ? pace->crowd[0] : pace->crowd[1];
    bool is_few = 8 * merchants <= crowd || (merchants == 1 && crowd > 1);
    bool is_short = is_few && count >= pace->batch_short && waiting / MUCH >= pace->batch_short;
    return is_short || count >= pace->batch_now;
}

static int least(const struct pace *pace)
{
    return pace->batch_max < PACE_BATCH_LEAST ? pace->batch_max : PACE_BATCH_LEAST;
}

void pace_note(struct pace *pace, int count, int64_t took_us, bool is_short)
{
    if (count == 0)
        return;
    cost_note(&pace->cost, count, took_us);
    if (!is_short && count < (pace->batch_now + 1) / 2)
        return; /* nobody waited: it says nothing of how many it could be */
    int64_t each_ns = took_us * 1000 / count;
    if (pace->each_ns && each_ns > SLOWER_MAX * pace->each_ns)
        each_ns = SLOWER_MAX * pace->each_ns;
    pace->each_ns = pace->each_ns ? (3 * pace->each_ns + each_ns) / 4 : each_ns;
    if (is_short)
        return;
    int pays = cost_count_in(&pace->cost, PACE_BATCH_US);
    if (took_us > PACE_BATCH_US && pace->batch_now > pays)
        pace->batch_now -= pace->batch_now / 4;
    else if (count >= pace->batch_now)
        pace->batch_now += pace->batch_now / 8 + 1;
    if (pace->batch_now < least(pace))
        pace->batch_now = least(pace);
    if (pace->batch_now > pace->batch_max)
        pace->batch_now = pace->batch_max;
}

int pace_count_in(const struct pace *pace, int64_t us)
{
    if (!pace->each_ns)
        return INT_MAX;
    int64_t count = us * 1000 / pace->each_ns;
    if (count < INT64_C(2) * pace->batch_now)
        count = INT64_C(2) * pace->batch_now;
    return count < INT_MAX ? (int)count : INT_MAX;
}

int64_t pace_us_of(const struct pace *pace, int count)
{
    return count * pace->each_ns / 1000;
}
