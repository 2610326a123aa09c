/* Owns an engine: its life, its bounds, and the way of a posting from submission to answer. */
#include "engine/engine.h"

#include <stdlib.h>

#include "engine/engine_private.h"

#define SWEEP_MS 100

/* Whoever waits too long for his turn is answered while he has no effect yet: at his deadline, and
 * behind a held member when the lock has taken too long. */
static void queue_sweep(struct engine *engine, struct posting_list *queue, int64_t aside_before_us)
{
    struct posting_list all, keep;
    struct posting *posting;
    int64_t now_us = clock_monotonic_us();
    posting_list_init(&all);
    posting_list_init(&keep);
    posting_list_prepend(&all, queue);
    while ((posting = posting_list_pop(&all))) {
        if (posting->deadline_us < now_us)
            posting_answer(engine, posting, ENGINE_DEADLINE_EXCEEDED);
        else if (posting->aside_us && posting->aside_us < aside_before_us)
            posting_answer(engine, posting, ENGINE_TRANSIENT);
        else
            posting_list_push(&keep, posting);
    }
    posting_list_prepend(queue, &keep);
}

static void sweep_start(struct engine *engine)
{
    static const struct timeval after = {.tv_usec = SWEEP_MS * 1000L};
    if (!event_pending(engine->sweep, EV_TIMEOUT, NULL))
        event_add(engine->sweep, &after);
}

static void on_sweep(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct engine *engine = ctx;
    int waiter = engine->options.lanes;
    int64_t patience_us = engine->options.lock_timeout_ms * INT64_C(1000);
    queue_sweep(engine, &engine->unresolved, 0);
    for (int i = 0; i < waiter; i++)
        queue_sweep(engine, &engine->lanes[i].queue, 0);
    queue_sweep(engine, &engine->lanes[waiter].queue, clock_monotonic_us() - patience_us);
    waiter_retry(engine);
    if (engine->pending > 0)
        sweep_start(engine);
}

struct engine *engine_create(struct event_base *base, const struct domain_clock *clock,
                             const struct engine_options *options, struct err *err)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        err_set(err, "out of memory");
        return NULL;
    }
    engine->base = base;
    engine->clock = clock;
    engine->options = *options;
    if (options->lanes < 1 || options->lanes > ENGINE_LANES_MAX) {
        err_set(err, "lanes: %d is not in 1..%d", options->lanes, ENGINE_LANES_MAX);
        free(engine);
        return NULL;
    }
    engine->sweep = event_new(base, -1, 0, on_sweep, engine);
    bool is_made = engine->sweep && reader_create(engine);
    for (int i = 0; is_made && i < DESKS; i++)
        is_made = desk_create(&engine->desks[i], engine, (enum desk_id)i);
    for (int i = 0; is_made && i <= options->lanes; i++)
        is_made = lane_create(&engine->lanes[i], engine, i == options->lanes);
    if (!is_made) {
        err_set(err, "out of memory for the engine's events");
        engine_destroy(&engine);
    }
    return engine;
}

void engine_destroy(struct engine **engine_in)
{
    struct engine *engine = *engine_in;
    if (!engine)
        return;
    *engine_in = NULL;
    engine->is_closing = true;
    for (int i = 0; i <= engine->options.lanes; i++)
        lane_destroy(&engine->lanes[i]);
    reader_destroy(engine);
    for (int i = 0; i < DESKS; i++)
        desk_destroy(&engine->desks[i]);
    reference_release(&engine->reference);
    if (engine->sweep)
        event_free(engine->sweep);
    free(engine);
}

void engine_set_limits(struct engine *engine, int batch_max, int queue_max)
{
    engine->options.batch_max = batch_max;
    engine->options.queue_max = queue_max;
}

const char *engine_unready_reason(const struct engine *engine)
{
    for (int i = 0; i < engine->options.lanes; i++)
        if (!pg_ready(engine->lanes[i].pg))
            return pg_reason(engine->lanes[i].pg);
    if (!pg_ready(engine->reader))
        return pg_reason(engine->reader);
    return engine->reference ? "" : "the reference tables are not loaded yet";
}

bool engine_ready(const struct engine *engine)
{
    return !*engine_unready_reason(engine);
}

struct reference *engine_reference(const struct engine *engine)
{
    return engine->reference;
}

void engine_set_lease_epoch(struct engine *engine, int64_t epoch)
{
    engine->lease_epoch = epoch;
}

void posting_answer(struct engine *engine, struct posting *posting, int code)
{
    bool is_of_ledger = code == RESULT_OK || code > ENGINE_INTERNAL;
    engine->pending--;
    posting->done(posting, code, is_of_ledger ? posting->decision : NULL);
}

void engine_route(struct engine *engine, struct posting *posting)
{
    lane_push(&engine->lanes[bucket_of(posting->member_id) % engine->options.lanes], posting);
}

static void on_overloaded(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct posting *posting = ctx;
    posting->done(posting, ENGINE_OVERLOADED, NULL);
}

void engine_post(struct engine *engine, struct posting *posting)
{
    static const struct timeval now = {0, 0};
    posting->next = NULL;
    posting->posted_us = clock_monotonic_us();
    posting->decision = NULL;
    posting->attempts = posting->returns = posting->misses = 0;
    posting->aside_us = 0;
    posting->batch_max = 0;
    posting->wants_state =
        posting->request.kind != ENTRY_EARN && posting->request.kind != ENTRY_ENROL;
    if (engine->pending >= engine->options.queue_max) {
        event_base_once(engine->base, -1, EV_TIMEOUT, on_overloaded, posting, &now);
        return;
    }
    engine->pending++;
    sweep_start(engine);
    if (posting->by_identifier)
        posting->member_id = hints_find(engine->hints, posting->identifier_hash);
    if (posting->by_identifier && posting->member_id < 0)
        reader_resolve(engine, posting);
    else
        engine_route(engine, posting);
}
