/* Owns what a worker does against too many requests at its door: refuses early, reads nobody while
 * the pool runs out, and lets rest who keeps sending where refusing itself would cost too much.
 * What waits inside is the engine's business. Called by request.c and the worker's tick. */
#include <string.h>

#include "base/clock.h"
#include "base/timer.h"
#include "outcome.h"
#include "session/crowd.h"
#include "session/tally.h"
#include "session/session.h"
#include "validate.h"

#define REFUSALS_A_TICK 2000 /* of 100 ms: a fifth of a core */
#define REFUSALS_EACH   250  /* of them of one merchant */
#define WAKE_MS         5
#define REST_MS         20
#define LATELY_US       100000 /* since he was refused: he rests after what is taken, too */

static bool is_posting(uint32_t body)
{
    return body == LOYAL__V1__REQUEST__BODY_ENROL_MEMBER || body == LOYAL__V1__REQUEST__BODY_EARN ||
           body == LOYAL__V1__REQUEST__BODY_REDEEM || body == LOYAL__V1__REQUEST__BODY_REVERSE;
}

static void wake_soon(struct worker *worker)
{
    static const struct timeval after = {.tv_usec = WAKE_MS * 1000L};
    timer_set(worker->wake, &after);
}

static void rest(struct session *session, uint32_t ms)
{
    struct worker *worker = session->worker;
    if (session->rests_until_us || !session->conn)
        return;
    if (TAILQ_EMPTY(&worker->resting))
        wake_soon(worker);
    session->rests_until_us = clock_monotonic_us() + (int64_t)ms * 1000;
    TAILQ_INSERT_TAIL(&worker->resting, session, in_resting);
    conn_rest(session->conn);
}

void crowd_leave(struct session *session)
{
    if (!session->rests_until_us)
        return;
    session->rests_until_us = 0;
    TAILQ_REMOVE(&session->worker->resting, session, in_resting);
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd, (void)what;
    struct worker *worker = ctx;
    int64_t now_us = clock_monotonic_us();
    struct session *session, *next;
    for (session = TAILQ_FIRST(&worker->resting); session; session = next) {
        next = TAILQ_NEXT(session, in_resting);
        if (session->rests_until_us > now_us)
            continue;
        crowd_leave(session);
        conn_wake(session->conn);
    }
    if (!TAILQ_EMPTY(&worker->resting))
        wake_soon(worker);
}

bool crowd_create(struct worker *worker)
{
    TAILQ_INIT(&worker->resting);
    worker->wake = event_new(worker->base, -1, 0, on_wake, worker);
    return worker->wake != NULL;
}

void crowd_destroy(struct worker *worker)
{
    if (worker->wake)
        event_free(worker->wake);
}

void crowd_tick(struct worker *worker)
{
    worker->refused = 0;
    memset(worker->refused_of, 0, sizeof worker->refused_of);
}

/* ---- refusing ---- */

/* Whether refusing early costs too much: all of them, or this merchant. */
static bool is_too_much(struct worker *worker, int32_t merchant_id)
{
    int *of_merchant = &worker->refused_of[(uint32_t)merchant_id % CROWD_SLOTS];
    return ++worker->refused > REFUSALS_A_TICK || ++*of_merchant > REFUSALS_EACH;
}

/* Whoever is refused is read again after a moment, all that he sent meanwhile at once: one turn for
 * many. Where refusing itself becomes too much he is not read for as long as he was told to wait.
 */
bool crowd_refuses(struct session *session, const uint8_t *bytes, size_t size)
{
    struct worker *worker = session->worker;
    if (session->state != SESSION_OPEN || !session->terminal_id)
        return false;
    struct fair_party party = {session->merchant_id, session->terminal_id};
    struct answer answer = answer_of(OUTCOME_CODE(OVERLOADED));
    answer.retry_after_ms = engine_crowded_ms(worker->engine, party);
    uint32_t body = answer.retry_after_ms ? validate_peek_body(bytes, size) : 0;
    if (!is_posting(body)) {
        if (session->refused_us && clock_monotonic_us() - session->refused_us < LATELY_US)
            rest(session, REST_MS);
        return false;
    }
    tally_request(worker, body);
    answer_send(session, validate_peek_id(bytes, size), &answer);
    bool is_much = is_too_much(worker, session->merchant_id);
    rest(session, is_much ? answer.retry_after_ms : REST_MS);
    session->refused_us = clock_monotonic_us();
    return true;
}

/* ---- the pool ---- */

/* From three quarters of the pool on; OVERLOADED is for what was read already. */
void crowd_hold(struct session *session)
{
    struct worker *worker = session->worker;
    bool is_full = worker->request_count >= worker->request_max / 4 * 3;
    if (!is_full || session->is_held || !session->conn || session->state != SESSION_OPEN)
        return;
    session->is_held = true;
    worker->held_count++;
    conn_pause(session->conn);
}

/* Once half of the pool is free. */
void crowd_let_go(struct worker *worker)
{
    struct session *session;
    if (worker->held_count == 0 || worker->request_count > worker->request_max / 2)
        return;
    TAILQ_FOREACH (session, &worker->sessions, in_worker) {
        /* cppcheck-suppress uninitvar ; the macro hides the assignment */
        if (!session->is_held)
            continue;
        session->is_held = false;
        if (session->conn)
            conn_resume(session->conn);
    }
    worker->held_count = 0;
}
