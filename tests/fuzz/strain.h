/* Hard times for the server, beside what it is told: time passes, memory runs short. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct event_base;

/* Once a process, before OpenSSL is used: its memory is part of what runs short. */
void strain_init(void);
/* Begins anew: at the same moment, with memory enough. */
void strain_begin(void);

/* The monotonic clock goes on by so much, and the loop's timers that are due by then fire in its
 * next turn. */
void time_pass(struct event_base *base, int64_t ms);

/* The n-th piece that is taken from now on, of an arena or by OpenSSL, is not to be had; n from 1
 * on, 0: each is. */
void memory_fail(unsigned n);
/* Whether it came to that since. */
bool memory_has_failed(void);
