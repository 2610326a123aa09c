/* A bar on stderr: done, rate, time left. On a terminal one line that is drawn again, elsewhere a
 * plain line now and then. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what, *unit;
    uint64_t done, total;
    int64_t started_us, shown_us;
    bool tty;
};

int64_t progress_now_us(void); /* monotonic */
void progress_start(struct progress *progress, const char *what, const char *unit, uint64_t total);
/* Cheap enough for every step: it draws at most ten times a second (plain: every five seconds). */
void progress_set(struct progress *progress, uint64_t done);
/* Draws the last state and ends the line. */
void progress_end(struct progress *progress);
