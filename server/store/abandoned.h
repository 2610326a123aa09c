/* The backends that a connection has left behind: PostgreSQL may not know yet that nobody is there,
 * or stand where it does not look, as in a commit that waits for a standby. Whoever connects again
 * ends those of its own first, and waits while too many will not end. Part of pg.c. */
#pragma once

#include <stdbool.h>

#define ABANDONED_MAX 3 /* backends that one connection leaves behind, until they have ended */

#define BACKEND_BYTES 48 /* ",PID/START,", START in seconds with their fraction */

struct abandoned {
    char own[BACKEND_BYTES];                      /* this connection's; "" while it is unknown */
    char left[ABANDONED_MAX * BACKEND_BYTES + 1]; /* one behind the other */
};

/* Connected: the backend, and which of those left were there still when they were told to end
 * (STATEMENT_SCHEMA_READ). False: too many. */
bool abandoned_judge(struct abandoned *abandoned, const char *own, const char *still);
/* The connection is given up, or lost. */
void abandoned_leave(struct abandoned *abandoned);
