/* Owns the reader: which member an identifier is of (S0: a hint, proven under the lock), lookups,
 * and the snapshot of the reference tables. Each is gathered per turn into one statement. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/admission.h"
#include "engine/rows.h"
#include "store/reference_load.h"

#define GATHER_MAX 1000
#define POLL_MS    1000

static bool is_good(const PGresult *result, const char *what)
{
    if (result && PQresultStatus(result) == PGRES_TUPLES_OK)
        return true;
    if (result && PQresultStatus(result) == PGRES_FATAL_ERROR) {
        char text[256];
        pg_error_text(result, text, sizeof text);
        log_warning("read_failed", "what=%s cause=\"%s\"", what, text);
    }
    return false;
}

static int failure_code(const PGresult *result)
{
    return result ? ENGINE_TRANSIENT : ENGINE_NOT_READY;
}

/* ---- S0 ---- */

static void resolved(struct engine *engine, struct posting *posting)
{
    hints_put(engine->hints, posting->identifier_hash, posting->member_id);
    engine_route(engine, posting);
}

static void on_resolved(void *ctx, const PGresult *result)
{
    struct engine *engine = ctx;
    struct posting_list list = engine->resolving;
    posting_list_init(&engine->resolving);
    struct posting *posting;
    for (posting = list.first; posting; posting = posting->next)
        hints_settle(engine->hints, posting->identifier_hash);
    if (!is_good(result, "resolve")) {
        while ((posting = posting_list_pop(&list)))
            posting_answer(posting, failure_code(result));
        event_active(engine->resolve, 0, 0);
        return;
    }
    pace_note(&engine->resolve_pace, list.count, clock_monotonic_us() - engine->resolve_us,
              engine->is_resolve_short);
    int number = 0, row = 0, rows = PQntuples(result);
    /* rows come in the order asked, without those that are nobody's */
    while ((posting = posting_list_pop(&list))) {
        if (row < rows && row_int4(result, row, 0) == number)
            posting->member_id = row_int8(result, row++, 1);
        number++;
        if (posting->member_id < 0)
            posting_answer(posting, RESULT_UNKNOWN_MEMBER);
        else
            resolved(engine, posting);
    }
    if (engine->unresolved.count > 0)
        event_active(engine->resolve, 0, 0);
}

/* The turn is over: asks for all that came in it. */
static void on_resolve(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    static const enum params_type types[] = {PARAMS_BYTEA, PARAMS_INT4};
    struct engine *engine = ctx;
    struct fair_item *item;
    if (engine->resolving.first || engine->unresolved.count == 0)
        return;
    if (!pg_ready(engine->reader)) {
        engine_end_all(engine, &engine->unresolved, ENGINE_NOT_READY);
        return;
    }
    params_arrays(&engine->params, types, 2);
    int64_t now_us = clock_monotonic_us();
    struct pace *pace = &engine->resolve_pace;
    const struct fair_queue *left = &engine->unresolved;
    pace_begin(pace, left->merchant_count, now_us);
    while (!pace_is_enough(pace, engine->resolving.count, left->merchant_count, left->count) &&
           (item = fair_pop(&engine->unresolved))) {
        struct posting *posting = posting_of(item);
        if (posting->deadline_us < now_us) {
            item->ended(item, engine, ENGINE_DEADLINE_EXCEEDED);
            continue;
        }
        params_bytes(&engine->params, 0, posting->identifier_hash, HASH_BYTES);
        params_int4(&engine->params, 1, engine->resolving.count);
        posting_list_push(&engine->resolving, posting);
    }
    if (!engine->resolving.first)
        return;
    engine->resolve_us = now_us;
    engine->is_resolve_short = left->count > 0 && engine->resolving.count < pace->batch_now;
    pg_send(engine->reader, STATEMENT_RESOLVE, &engine->params, on_resolved, engine);
    pg_sync(engine->reader, NULL, NULL);
}

void reader_resolve(struct engine *engine, struct posting *posting)
{
    posting->member_id = -1;
    hints_await(engine->hints, posting->identifier_hash);
    if (posting->retry_after_ms) /* it is refused already */
        engine_refuse(engine, &posting->waiting);
    else
        engine_admit(engine, &engine->unresolved, &posting->waiting, engine->options.queue_max);
    event_active(engine->resolve, 0, 0);
}

/* ---- lookups ---- */

static struct lookup *lookup_of(struct fair_item *item)
{
    return (struct lookup *)(void *)((char *)item - offsetof(struct lookup, waiting));
}

static void on_lookup_ended(struct fair_item *item, void *ctx, int code)
{
    struct lookup *lookup = lookup_of(item);
    (void)ctx;
    lookup->done(lookup, code);
}

static void on_looked(void *ctx, const PGresult *result)
{
    struct engine *engine = ctx;
    struct lookup *lookup = engine->looking.first, *next;
    engine->looking = (struct lookup_list){NULL, NULL, 0};
    bool is_found = is_good(result, "lookup");
    int rows = is_found ? PQntuples(result) : 0;
    for (int number = 0, row = 0; lookup; lookup = next, number++) {
        next = lookup->next;
        int code = is_found ? RESULT_UNKNOWN_MEMBER : failure_code(result);
        if (row < rows && row_int4(result, row, 0) == number && row_int8(result, row, 1) >= 0) {
            lookup->member_id = row_int8(result, row, 1);
            lookup->available = row_int8(result, row, 2);
            lookup->debt = row_int8(result, row++, 3);
            code = RESULT_OK;
        }
        lookup->done(lookup, code);
    }
    if (engine->lookups.count > 0)
        event_active(engine->look, 0, 0);
}

/* By turns, so many as one statement may ask for. */
static void lookups_gather(struct engine *engine)
{
    int64_t now_us = clock_monotonic_us();
    struct fair_item *item;
    engine->looking.end = &engine->looking.first;
    while (engine->looking.count < GATHER_MAX && (item = fair_pop(&engine->lookups))) {
        struct lookup *lookup = lookup_of(item);
        if (item->deadline_us < now_us) {
            lookup->done(lookup, ENGINE_DEADLINE_EXCEEDED);
            continue;
        }
        lookup->next = NULL;
        *engine->looking.end = lookup;
        engine->looking.end = &lookup->next;
        engine->looking.count++;
    }
}

static void on_look(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    static const enum params_type types[] = {PARAMS_BYTEA, PARAMS_INT8, PARAMS_INT4};
    struct engine *engine = ctx;
    if (engine->looking.first || engine->lookups.count == 0)
        return;
    if (!pg_ready(engine->reader)) {
        engine_end_all(engine, &engine->lookups, ENGINE_NOT_READY);
        return;
    }
    lookups_gather(engine);
    if (!engine->looking.first)
        return;
    int64_t now_us = domain_clock_us(engine->clock);
    int number = 0;
    params_arrays(&engine->params, types, 3);
    for (struct lookup *lookup = engine->looking.first; lookup; lookup = lookup->next) {
        lookup->as_of_us = now_us;
        if (lookup->by_identifier)
            params_bytes(&engine->params, 0, lookup->identifier_hash, HASH_BYTES);
        else
            params_null(&engine->params, 0);
        params_int8(&engine->params, 1, lookup->by_identifier ? -1 : lookup->member_id);
        params_int4(&engine->params, 2, number++);
    }
    params_scalar_int8(&engine->params, 255);
    params_scalar_time(&engine->params, now_us);
    pg_send(engine->reader, STATEMENT_LOOKUP, &engine->params, on_looked, engine);
    pg_sync(engine->reader, NULL, NULL);
}

void engine_lookup(struct engine *engine, struct lookup *lookup)
{
    lookup->waiting = (struct fair_item){
        .party = lookup->party,
        .deadline_us = lookup->deadline_us,
        .ended = on_lookup_ended,
    };
    engine_admit(engine, &engine->lookups, &lookup->waiting, engine->options.queue_max);
    event_active(engine->look, 0, 0);
}

/* ---- the reference tables ---- */

static void waiters_call(struct engine *engine, bool is_fresh)
{
    struct waiter *waiter = engine->waiters_due, *next;
    engine->waiters_due = NULL;
    for (; waiter; waiter = next) {
        next = waiter->next;
        waiter->done(waiter->ctx, is_fresh);
    }
}

static void lanes_release(struct engine *engine)
{
    for (int i = 0; i <= engine->options.lanes; i++) {
        engine->lanes[i].waits_for_reference = false;
        lane_wake(&engine->lanes[i]);
    }
}

/* is_fresh: the snapshot is the database's. Whoever waits goes on, also when it is not: lanes find
 * out for themselves. */
static void poll_end(struct engine *engine, bool is_fresh)
{
    engine->is_polling = false;
    lanes_release(engine);
    waiters_call(engine, is_fresh);
    if (engine->waiters)
        reader_poll(engine);
}

static bool reference_take(struct engine *engine, const PGresult *result)
{
    struct reference *fresh = reference_load(result);
    if (!fresh) {
        log_error("reference_unsound",
                  "remedy=\"see loyal.rule, loyal.terminal, loyal.operator, or give it memory\"");
        return false; /* the next poll tries again */
    }
    reference_release(&engine->reference);
    engine->reference = fresh;
    log_info("reference_loaded", "epoch=%lld", (long long)reference_epoch(fresh));
    engine_publish_ready(engine);
    if (engine->options.reference_changed)
        engine->options.reference_changed(engine->options.ctx, fresh);
    return true;
}

static void on_reference(void *ctx, const PGresult *result)
{
    struct engine *engine = ctx;
    poll_end(engine, is_good(result, "reference") && reference_take(engine, result));
}

static void on_epoch(void *ctx, const PGresult *result)
{
    struct engine *engine = ctx;
    bool is_read = is_good(result, "epoch");
    bool is_newer = is_read && (!engine->reference ||
                                row_int8(result, 0, 0) > reference_epoch(engine->reference));
    if (!is_newer || !pg_ready(engine->reader)) {
        poll_end(engine, is_read && !is_newer);
        return;
    }
    pg_send(engine->reader, STATEMENT_REFERENCE_READ, NULL, on_reference, engine);
    pg_sync(engine->reader, NULL, NULL);
}

void reader_poll(struct engine *engine)
{
    if (engine->is_polling || engine->is_closing)
        return;
    engine->is_polling = true;
    engine->waiters_due = engine->waiters;
    engine->waiters = NULL;
    if (!pg_ready(engine->reader)) {
        poll_end(engine, false);
        return;
    }
    pg_send(engine->reader, STATEMENT_EPOCH_READ, NULL, on_epoch, engine);
    pg_sync(engine->reader, NULL, NULL);
}

static void on_poll(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    reader_poll(ctx);
}

void engine_refresh(struct engine *engine, struct waiter *waiter)
{
    waiter->next = engine->waiters;
    engine->waiters = waiter;
    event_active(engine->refresh, 0, 0); /* not the poll: that would put its next turn off */
}

static void on_reader_state(void *ctx, bool is_ready)
{
    struct engine *engine = ctx;
    engine_publish_ready(engine);
    if (is_ready)
        reader_poll(engine);
}

bool reader_create(struct engine *engine)
{
    static const struct timeval interval = {.tv_sec = POLL_MS / 1000, .tv_usec = POLL_MS % 1000};
    fair_init(&engine->unresolved);
    fair_init(&engine->lookups);
    posting_list_init(&engine->resolving);
    pace_init(&engine->resolve_pace, GATHER_MAX);
    engine->hints = hints_create();
    engine->resolve = event_new(engine->base, -1, 0, on_resolve, engine);
    engine->look = event_new(engine->base, -1, 0, on_look, engine);
    engine->poll = event_new(engine->base, -1, EV_PERSIST, on_poll, engine);
    engine->refresh = event_new(engine->base, -1, 0, on_poll, engine);
    struct pg_options options = {
        .conninfo = engine->options.conninfo,
        .name = "loyald reader",
        .settings = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off "
                    "-c enable_hashjoin=off -c enable_mergejoin=off -c jit=off -c timezone=UTC "
                    "-c statement_timeout=10000",
        .silence_ms_max = 10000 + SILENCE_MS,
        .first = STATEMENT_RESOLVE,
        .last = STATEMENT_REFERENCE_READ,
        .link = STATS_READER,
        .stats = engine->options.stats,
        .state_changed = on_reader_state,
        .ctx = engine,
    };
    engine->reader = pg_create(engine->base, &options);
    return engine->hints && engine->resolve && engine->look && engine->poll && engine->refresh &&
           engine->reader && event_add(engine->poll, &interval) == 0;
}

void reader_destroy(struct engine *engine)
{
    pg_destroy(&engine->reader);
    engine_end_all(engine, &engine->unresolved, ENGINE_NOT_READY);
    engine_end_all(engine, &engine->lookups, ENGINE_NOT_READY);
    fair_free(&engine->unresolved);
    fair_free(&engine->lookups);
    engine->waiters_due = engine->waiters;
    engine->waiters = NULL;
    waiters_call(engine, false);
    params_free(&engine->params);
    hints_destroy(&engine->hints);
    struct event *events[] = {engine->resolve, engine->look, engine->poll, engine->refresh};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
}
