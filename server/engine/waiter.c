/* Owns the postings whose members another transaction holds: set aside from their lanes, which go
 * on without them, and taken member by member by a lane of its own, which waits for the lock. So a
 * held row delays the requests of its member, and nobody else's. Called by lane.c and engine.c. */
#include "engine/admission.h"

#define WAITING_MAX 256 /* set aside, of a worker */

static struct lane *waiter_of(struct engine *engine)
{
    return &engine->lanes[engine->options.lanes];
}

static bool list_has(const struct posting_list *list, int64_t member_id)
{
    for (const struct posting *posting = list->first; posting; posting = posting->next)
        if (posting->member_id == member_id)
            return true;
    return false;
}

bool waiter_has(struct engine *engine, int64_t member_id)
{
    struct lane *waiter = waiter_of(engine);
    return list_has(&waiter->returned, member_id) || list_has(&waiter->batch.postings, member_id) ||
           list_has(&waiter->batch.again, member_id);
}

void waiter_push(struct engine *engine, struct posting *posting)
{
    struct lane *waiter = waiter_of(engine);
    if (waiter->returned.count >= WAITING_MAX) {
        posting_answer(posting, ENGINE_TRANSIENT);
        return;
    }
    if (!posting->aside_us)
        posting->aside_us = clock_monotonic_us();
    posting_list_push(&waiter->returned, posting);
    engine_sweep_soon(engine);
    lane_wake(waiter);
}

void waiter_retry(struct engine *engine)
{
    struct lane *waiter = waiter_of(engine);
    const struct posting *taken = waiter->batch.postings.first;
    struct posting_list all;
    struct posting *posting;
    posting_list_init(&all);
    posting_list_prepend(&all, &waiter->returned);
    while ((posting = posting_list_pop(&all))) {
        if (taken && taken->member_id == posting->member_id)
            posting_list_push(&waiter->returned, posting);
        else
            engine_return(engine, posting);
    }
}

void waiter_next(struct lane *waiter, struct posting_list *next_out)
{
    struct posting_list all;
    struct posting *posting;
    posting_list_init(&all);
    posting_list_prepend(&all, &waiter->returned);
    posting_list_init(next_out);
    while ((posting = posting_list_pop(&all))) {
        bool is_his = !next_out->first || next_out->first->member_id == posting->member_id;
        posting_list_push(is_his ? next_out : &waiter->returned, posting);
    }
}
