/* The daemon's domain clock file as a replay moves it: 8 bytes of microseconds, host byte order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replay_clock {
    int64_t *us; /* mapped */
};

/* The file must exist already: the daemon has it mapped. False: the cause in error_out. */
__attribute__((warn_unused_result)) bool replay_clock_open(struct replay_clock *clock,
                                                           const char *path, char *error_out,
                                                           size_t error_size);
/* Moves it on; an earlier instant leaves it where it stands. */
void replay_clock_set(struct replay_clock *clock, int64_t us);
void replay_clock_close(struct replay_clock *clock);
