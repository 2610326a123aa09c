/* Owns the clock and the memory of a harness's server (by the linker's --wrap): see strain.h. */
#include "fuzz/strain.h"

#include <assert.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/time.h>

#include "base/arena.h"
#include "base/clock.h"

#define BEGIN_US   INT64_C(1000000000000)
#define TIMERS_MAX 64

static struct {
    int64_t now_us;
    unsigned fails_in; /* 0: none fails */
    bool has_failed;
} strain = {.now_us = BEGIN_US};

void strain_begin(void)
{
    strain.now_us = BEGIN_US;
    memory_fail(0);
}

/* ---- time ---- */

int64_t __wrap_clock_monotonic_us(void);

/* Each look at it takes a moment. */
int64_t __wrap_clock_monotonic_us(void)
{
    return strain.now_us++;
}

struct due_timers {
    int64_t until_us; /* in libevent's time */
    struct event *timers[TIMERS_MAX];
    int count;
};

static int64_t us_of(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static int timer_collect(const struct event_base *base, const struct event *event, void *ctx)
{
    struct due_timers *due = ctx;
    struct timeval at;
    (void)base;
    if (event_pending(event, EV_TIMEOUT, &at) && us_of(at) <= due->until_us) {
        assert(due->count < TIMERS_MAX);
        due->timers[due->count++] = (struct event *)(uintptr_t)event;
    }
    return 0;
}

void time_pass(struct event_base *base, int64_t ms)
{
    struct timeval now;
    gettimeofday(&now, NULL);
    struct due_timers due = {.until_us = us_of(now) + ms * 1000};
    strain.now_us += ms * 1000;
    event_base_foreach_event(base, timer_collect, &due);
    for (int i = 0; i < due.count; i++)
        event_active(due.timers[i], EV_TIMEOUT, 0);
}

/* ---- memory ---- */

void memory_fail(unsigned n)
{
    strain.fails_in = n;
    strain.has_failed = false;
}

bool memory_has_failed(void)
{
    return strain.has_failed;
}

static bool fails_now(void)
{
    if (strain.fails_in == 0 || --strain.fails_in > 0)
        return false;
    strain.has_failed = true;
    return true;
}

void *__real_arena_alloc(struct arena *arena, size_t bytes);
void *__real_arena_copy(struct arena *arena, const void *bytes, size_t size);
void *__wrap_arena_alloc(struct arena *arena, size_t bytes);
void *__wrap_arena_copy(struct arena *arena, const void *bytes, size_t size);

static bool arena_fails(struct arena *arena)
{
    bool fails = fails_now();
    arena->is_short = arena->is_short || fails;
    return fails;
}

void *__wrap_arena_alloc(struct arena *arena, size_t bytes)
{
    return arena_fails(arena) ? NULL : __real_arena_alloc(arena, bytes);
}

void *__wrap_arena_copy(struct arena *arena, const void *bytes, size_t size)
{
    return arena_fails(arena) ? NULL : __real_arena_copy(arena, bytes, size);
}

static void *openssl_alloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails_now() ? NULL : malloc(size);
}

static void *openssl_realloc(void *pointer, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return fails_now() ? NULL : realloc(pointer, size);
}

static void openssl_free(void *pointer, const char *file, int line)
{
    (void)file, (void)line;
    free(pointer);
}

void strain_init(void)
{
    assert(CRYPTO_set_mem_functions(openssl_alloc, openssl_realloc, openssl_free) == 1);
}
