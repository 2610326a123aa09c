/* Owns requests: their pool, decoding and end. A frame is validated over its bytes before anything
 * is allocated, then unpacked into the request's capped arena. Called by session.c and handlers. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "outcome.h"
#include "session/crowd.h"
#include "session/tally.h"
#include "session/session.h"
#include "session/verb.h"
#include "validate.h"

static void *allocate(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void release_nothing(void *arena, void *pointer)
{
    (void)arena, (void)pointer; /* the arena forgets all at once */
}

/* NULL: the worker holds as many as it may, or there is no memory. */
static struct request *request_take(struct worker *worker)
{
    struct request *request = TAILQ_FIRST(&worker->spare);
    if (worker->request_count >= worker->request_max ||
        worker->request_bytes >= WORKER_REQUESTS_BYTES_MAX)
        return NULL;
    if (request) {
        TAILQ_REMOVE(&worker->spare, request, in_list);
        worker->spare_count--;
    } else {
        request = calloc(1, sizeof *request);
        if (!request)
            return NULL;
        arena_init(&request->arena, REQUEST_ARENA_BYTES_MAX);
        request->allocator = (ProtobufCAllocator){
            .alloc = allocate, .free = release_nothing, .allocator_data = &request->arena};
    }
    worker->request_count++;
    return request;
}

static void request_give(struct worker *worker, struct request *request)
{
    if (request->arena.used_bytes > REQUEST_ARENA_KEPT)
        arena_free(&request->arena);
    else
        arena_reset(&request->arena);
    worker->request_bytes -= request->counted_bytes;
    request->counted_bytes = 0;
    request->session = NULL;
    request->message = NULL;
    request->progress = NULL;
    worker->request_count--;
    if (worker->spare_count < REQUESTS_SPARE) {
        TAILQ_INSERT_HEAD(&worker->spare, request, in_list);
        worker->spare_count++;
    } else {
        arena_free(&request->arena);
        free(request);
    }
    crowd_let_go(worker);
}

void request_pool_free(struct worker *worker)
{
    struct request *request;
    while ((request = TAILQ_FIRST(&worker->spare))) {
        TAILQ_REMOVE(&worker->spare, request, in_list);
        arena_free(&request->arena);
        free(request);
    }
}

static void answer_fault(struct session *session, uint64_t id, const struct validation *fault)
{
    bool malformed = fault->fault == VALIDATION_MALFORMED;
    struct answer answer =
        answer_of(malformed ? OUTCOME_CODE(MALFORMED) : OUTCOME_CODE(INVALID_FIELD));
    answer.text = fault->text;
    answer.field = fault->field;
    if (malformed)
        session_garbled(session);
    answer_send(session, id, &answer);
}

static void begin(struct session *session, struct request *request)
{
    const Loyal__V1__Request *message = request->message;
    uint32_t deadline_ms = (uint32_t)session->worker->config->deadline_ms_max;
    if (message->deadline_ms > 0 && message->deadline_ms < deadline_ms)
        deadline_ms = message->deadline_ms;
    request->session = session;
    request->id = message->id;
    request->by_identifier = request->is_answered = request->is_recording = false;
    request->is_posting = false;
    request->retry_after_ms = 0;
    request->verb = verb_of(message->body_case);
    request->received_us = clock_monotonic_us();
    request->deadline_us = request->received_us + (int64_t)deadline_ms * 1000;
    tally_request(session->worker, message->body_case);
    TAILQ_INSERT_TAIL(&session->requests, request, in_list);
    conn_request_begins(session->conn);
}

void request_receive(struct session *session, const uint8_t *bytes, size_t size)
{
    struct worker *worker = session->worker;
    struct validation validation;
    if (crowd_refuses(session, bytes, size))
        return;
    if (!validate_message(&loyal__v1__request__descriptor, bytes, size, 0, &validation)) {
        tally_request(worker, 0);
        answer_fault(session, validate_peek_id(bytes, size), &validation);
        return;
    }
    struct request *request = request_take(worker);
    if (request)
        request->message = loyal__v1__request__unpack(&request->allocator, size, bytes);
    if (!request || !request->message) {
        struct answer answer = answer_of(OUTCOME_CODE(OVERLOADED));
        tally_request(worker, 0);
        answer_send(session, validate_peek_id(bytes, size), &answer);
        if (request)
            request_give(worker, request);
        return;
    }
    request->counted_bytes = request->arena.used_bytes;
    worker->request_bytes += request->counted_bytes;
    begin(session, request);
    crowd_hold(session);
    struct answer answer;
    if (request->verb && request->verb->check && !request->verb->check(request, &answer))
        request_answer(request, &answer);
    else
        session_handle(request);
}

/* A good answer, or the body of another, that there was no memory to write whole is none. */
static struct answer whole_answer(const struct request *request, const struct answer *answer)
{
    bool has_body = answer->response.body_case != LOYAL__V1__RESPONSE__BODY__NOT_SET;
    if (!request->arena.is_short || (answer->code != OUTCOME_CODE(OK) && !has_body))
        return *answer;
    return answer_of(request->verb->writes ? OUTCOME_CODE(OUTCOME_UNKNOWN)
                                           : OUTCOME_CODE(OVERLOADED));
}

void request_answer(struct request *request, const struct answer *of_handler)
{
    struct session *session = request->session;
    assert(session);
    struct answer whole = whole_answer(request, of_handler), *answer = &whole;
    if (answer->code == OUTCOME_CODE(NOT_IDENTIFIED) && session->state == SESSION_OPEN)
        session_lose_right(session);
    struct answer own = *answer;
    char field[OUTCOME_FIELD_BYTES_MAX + 1];
    if (!own.field &&
        outcome_field(outcome_of((Loyal__V1__ResultCode)own.code), request->message, field))
        own.field = field;
    if (own.retry_after_ms == 0)
        own.retry_after_ms = request->retry_after_ms;
    if (!request->is_answered)
        answer_send(session, request->id, &own);
    tally_end(session->worker, request);
    TAILQ_REMOVE(&session->requests, request, in_list);
    if (session->conn)
        conn_request_ends(session->conn);
    request_give(session->worker, request);
    session_release(session);
}

/* What the database does not answer is answered here, after the engine had its turn to say
 * something definite; what comes later is not sent. A Hello has the time limit of its connection.
 */
static void request_expire(struct request *request, int64_t before_us)
{
    if (request->is_answered || request->deadline_us >= before_us || !request->verb ||
        !request->verb->handle)
        return;
    bool is_undecided = request->is_posting && !request->posting.decision; /* and will remain so */
    bool may_have_effect = request->is_recording || (request->verb->writes && !is_undecided);
    struct answer answer = answer_of(may_have_effect ? OUTCOME_CODE(OUTCOME_UNKNOWN)
                                                     : OUTCOME_CODE(DEADLINE_EXCEEDED));
    answer_send(request->session, request->id, &answer);
    request->is_answered = true;
}

void request_expire_all(struct worker *worker)
{
    int64_t late_us = (REQUEST_LATE_MS_MAX - TICK_MS) * INT64_C(1000);
    int64_t before_us = clock_monotonic_us() - late_us;
    struct session *session;
    struct request *request;
    if (worker->request_count == 0)
        return;
    TAILQ_FOREACH (session, &worker->sessions, in_worker) {
        /* cppcheck-suppress uninitvar ; the macro hides the assignment */
        TAILQ_FOREACH (request, &session->requests, in_list)
            request_expire(request, before_us);
    }
}

void request_answer_code(struct request *request, int code)
{
    struct answer answer = answer_of(code);
    request_answer(request, &answer);
}
