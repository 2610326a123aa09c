/* Owns an engine: its life, its bounds, and the way of a posting from submission to answer. */
#include "engine/engine.h"

#include <stdlib.h>

#include "engine/admission.h"

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
    bool is_made = admission_create(engine) && reader_create(engine);
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
    admission_destroy(engine);
    reference_release(&engine->reference);
    free(engine);
}

void engine_set_limits(struct engine *engine, int batch_max, int queue_max, int queue_ms_max,
                       int deadline_ms_max)
{
    engine->options.batch_max = batch_max;
    engine->options.queue_max = queue_max;
    engine->options.queue_ms_max = queue_ms_max;
    engine->options.deadline_ms_max = deadline_ms_max;
    for (int i = 0; i <= engine->options.lanes; i++)
        pace_limit(&engine->lanes[i].pace, batch_max);
    for (int i = 0; i < DESKS; i++)
        desk_limit(&engine->desks[i]);
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

void posting_answer(struct posting *posting, int code)
{
    bool is_of_ledger = code == RESULT_OK || code > ENGINE_INTERNAL;
    posting->done(posting, code, is_of_ledger ? posting->decision : NULL);
}

static struct lane *lane_of(struct engine *engine, const struct posting *posting)
{
    return &engine->lanes[bucket_of(posting->member_id) % engine->options.lanes];
}

void engine_route(struct engine *engine, struct posting *posting)
{
    lane_push(lane_of(engine, posting), posting);
}

void engine_return(struct engine *engine, struct posting *posting)
{
    struct lane *lane = lane_of(engine, posting);
    posting_list_push(&lane->returned, posting);
    lane_wake(lane);
}

/* Of what waits for S0 or for a lane. */
static void on_posting_ended(struct fair_item *item, void *ctx, int code)
{
    struct engine *engine = ctx;
    struct posting *posting = posting_of(item);
    if (posting->by_identifier && posting->member_id < 0)
        hints_settle(engine->hints, posting->identifier_hash);
    if (code == ENGINE_OVERLOADED && posting->member_id >= 0)
        posting->retry_after_ms = engine_delay_ms(engine, lane_drain_us(lane_of(engine, posting)));
    posting_answer(posting, code);
}

void engine_post(struct engine *engine, struct posting *posting)
{
    posting->next = NULL;
    posting->decision = NULL;
    posting->attempts = posting->returns = posting->misses = 0;
    posting->aside_us = 0;
    posting->batch_max = 0;
    posting->waiting = (struct fair_item){
        .party = {posting->request.merchant_id, posting->request.facts.terminal_id},
        .deadline_us = posting->deadline_us,
        .ended = on_posting_ended,
    };
    posting->wants_state =
        posting->request.kind != ENTRY_EARN && posting->request.kind != ENTRY_ENROL;
    if (posting->by_identifier)
        posting->member_id = hints_find(engine->hints, posting->identifier_hash);
    bool is_known = !posting->by_identifier || posting->member_id >= 0;
    posting->is_admitted = false;
    posting->retry_after_ms = is_known ? 0 : engine_crowded_ms(engine, posting->waiting.party);
    if (is_known)
        lane_push(lane_of(engine, posting), posting);
    else
        reader_resolve(engine, posting);
}
