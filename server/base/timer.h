/* libevent's timers where memory may run short. */
#pragma once

#include <event2/event.h>

/* After a while, or at the next turn when libevent cannot take it: never not at all. */
static inline void timer_set(struct event *timer, const struct timeval *after)
{
    if (event_add(timer, after) != 0)
        event_active(timer, EV_TIMEOUT, 0);
}
