/* Counts requests and answers for the admin port, and tells how the worker stands. Called by
 * request.c, answer.c and the worker's tick; decides nothing. */
#include <assert.h>

#include "outcome.h"
#include "session/tally.h"
#include "session/verb.h"

#define TICKS_MEASURE 100 /* memory and files: every 10 s, for counting files takes long */

static enum stats_class class_of(Loyal__V1__Request__BodyCase body)
{
    switch (body) {
    case LOYAL__V1__REQUEST__BODY_ENROL_MEMBER:
    case LOYAL__V1__REQUEST__BODY_EARN:
    case LOYAL__V1__REQUEST__BODY_REDEEM:
    case LOYAL__V1__REQUEST__BODY_REVERSE: return STATS_POSTING;
    case LOYAL__V1__REQUEST__BODY_HELLO:
    case LOYAL__V1__REQUEST__BODY_PING:
    case LOYAL__V1__REQUEST__BODY_FIND_MEMBER:
    case LOYAL__V1__REQUEST__BODY_GET_BALANCE: return STATS_LOOKUP;
    default: return STATS_QUERY;
    }
}

void tally_request(struct worker *worker, uint32_t body)
{
    size_t verb = verb_of((Loyal__V1__Request__BodyCase)body) ? body : 0;
    assert(verb < STATS_VERBS);
    stats_add(&worker->stats->requests, 1);
    stats_add(&worker->stats->verbs[verb], 1);
}

void tally_answer(struct worker *worker, int code)
{
    assert(code > 0 && code < STATS_CODES);
    stats_add(&worker->stats->answers[code], 1);
}

void tally_end(struct worker *worker, const struct request *request)
{
    int64_t us = clock_monotonic_us() - request->received_us;
    stats_time(&worker->stats->durations[class_of(request->message->body_case)], us);
}

void tally_worker(struct worker *worker)
{
    struct worker_stats *stats = worker->stats;
    stats_process(&stats->process, worker->ticks++ % TICKS_MEASURE == 0);
    stats_set(&stats->in_flight, worker->request_count);
    net_server_publish(worker->net);
    engine_publish(worker->engine);
}
