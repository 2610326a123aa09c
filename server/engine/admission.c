/* Owns who may wait and who waits no more: refusals past a queue's bound, told in a callback of
 * their own, and what waits past its deadline. Called by lanes, reader and desks. Never touches
 * what the database has been asked. */
#include <stdlib.h>

#include "base/timer.h"
#include "engine/admission.h"

#define SWEEP_MS       100
#define DELAY_US_LEAST 20000
#define DELAY_US_MAX   10000000

static void on_refuse(evutil_socket_t fd, short what, void *ctx)
{
    struct engine *engine = ctx;
    struct fair_item *item;
    (void)fd, (void)what;
    while ((item = TAILQ_FIRST(&engine->refused))) {
        TAILQ_REMOVE(&engine->refused, item, in_terminal);
        item->ended(item, engine, ENGINE_OVERLOADED);
    }
}

static void on_sweep(evutil_socket_t fd, short what, void *ctx);

bool admission_create(struct engine *engine)
{
    TAILQ_INIT(&engine->refused);
    engine->random = (uint64_t)clock_monotonic_us();
    engine->refuse = event_new(engine->base, -1, 0, on_refuse, engine);
    engine->sweep = event_new(engine->base, -1, 0, on_sweep, engine);
    return engine->refuse && engine->sweep;
}

void admission_destroy(struct engine *engine)
{
    on_refuse(-1, 0, engine);
    if (engine->refuse)
        event_free(engine->refuse);
    if (engine->sweep)
        event_free(engine->sweep);
}

void engine_refuse(struct engine *engine, struct fair_item *item)
{
    TAILQ_INSERT_TAIL(&engine->refused, item, in_terminal);
    event_active(engine->refuse, 0, 0);
}

void engine_admit(struct engine *engine, struct fair_queue *queue, struct fair_item *item,
                  int count_max)
{
    item->since_us = clock_monotonic_us();
    struct fair_item *refused = fair_push(queue, item, count_max);
    if (refused)
        engine_refuse(engine, refused);
    engine_sweep_soon(engine);
}

void engine_end_all(struct engine *engine, struct fair_queue *queue, int code)
{
    struct fair_item *item;
    while ((item = fair_pop(queue)))
        item->ended(item, engine, code);
}

/* From half of it to one and a half. */
uint32_t engine_delay_ms(struct engine *engine, int64_t us)
{
    engine->random = engine->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    us = us < DELAY_US_LEAST ? DELAY_US_LEAST : us > DELAY_US_MAX ? DELAY_US_MAX : us;
    return (uint32_t)(us / 2 + (int64_t)(engine->random >> 33) % us) / 1000;
}

/* What is still to come from S0 counts for all lanes alike, lest it is refused late. Whose that is
 * nobody knows while it is the most: then the lane judges. */
uint32_t engine_crowded_ms(struct engine *engine, struct fair_party party)
{
    int64_t drain_us = DELAY_US_MAX;
    int coming = (engine->unresolved.count + engine->resolving.count) / engine->options.lanes;
    for (int i = 0; i < engine->options.lanes; i++) {
        struct lane *lane = &engine->lanes[i];
        if (lane->queue.count < lane_queue_max(lane) - coming)
            return 0;
        struct fair_queue *longest =
            lane->queue.count < engine->unresolved.count ? &engine->unresolved : &lane->queue;
        if (engine->resolving.count > longest->count || !fair_is_refused(longest, party, 1))
            return 0;
        int64_t own_us = lane_drain_us(lane);
        drain_us = own_us < drain_us ? own_us : drain_us;
    }
    return engine_delay_ms(engine, drain_us);
}

/* ---- who has waited too long ---- */

struct overdue {
    struct engine *engine;
    struct fair_queue *queue;
};

static void end_overdue(struct fair_item *item, void *ctx)
{
    const struct overdue *overdue = ctx;
    fair_remove(overdue->queue, item);
    item->ended(item, overdue->engine, ENGINE_DEADLINE_EXCEEDED);
}

/* Returns how many still wait. */
static int queue_sweep(struct engine *engine, struct fair_queue *queue)
{
    struct overdue overdue = {engine, queue};
    fair_overdue(queue, clock_monotonic_us(), end_overdue, &overdue);
    return queue->count;
}

/* Those that the database has seen without effect; behind a held member also those for whom the
 * lock has taken too long. */
static int list_sweep(struct posting_list *list, int64_t aside_before_us)
{
    struct posting_list all, keep;
    struct posting *posting;
    int64_t now_us = clock_monotonic_us();
    posting_list_init(&all);
    posting_list_init(&keep);
    posting_list_prepend(&all, list);
    while ((posting = posting_list_pop(&all))) {
        if (posting->deadline_us < now_us)
            posting_answer(posting, ENGINE_DEADLINE_EXCEEDED);
        else if (posting->aside_us && posting->aside_us < aside_before_us)
            posting_answer(posting, ENGINE_TRANSIENT);
        else
            posting_list_push(&keep, posting);
    }
    posting_list_prepend(list, &keep);
    return list->count;
}

/* Whoever waits too long for his turn is answered while he has no effect yet. */
static void on_sweep(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct engine *engine = ctx;
    struct lane *waiter = &engine->lanes[engine->options.lanes];
    int64_t patience_us = engine->options.lock_timeout_ms * INT64_C(1000);
    int waiting = queue_sweep(engine, &engine->unresolved) + queue_sweep(engine, &engine->lookups);
    for (struct lane *lane = engine->lanes; lane < waiter; lane++)
        waiting += list_sweep(&lane->returned, 0) + queue_sweep(engine, &lane->queue);
    waiting += list_sweep(&waiter->returned, clock_monotonic_us() - patience_us);
    waiter_retry(engine);
    for (struct desk *desk = engine->desks; desk < engine->desks + DESKS; desk++)
        waiting += queue_sweep(engine, &desk->changes) + queue_sweep(engine, &desk->questions);
    if (waiting > 0)
        engine_sweep_soon(engine);
}

void engine_sweep_soon(struct engine *engine)
{
    static const struct timeval after = {.tv_usec = SWEEP_MS * 1000L};
    if (!event_pending(engine->sweep, EV_TIMEOUT, NULL))
        timer_set(engine->sweep, &after);
}
