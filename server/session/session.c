/* Owns sessions: from the certificate to the last answer. The only place that changes a session's
 * state, and only by the table of fsm.c. Called by net/ through session_handler, by request.c with
 * decoded requests, and by the worker. Knows no verb. */
#include "session/crowd.h"
#include "session/session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "outcome.h"
#include "session/verb.h"

/* ---- steps ---- */

static const struct session_step *take_step(struct session *session, enum session_event event)
{
    const struct session_step *step = fsm_step(session->state, event);
    assert(step);
    session->state = step->to;
    return step;
}

/* For events of no request. */
static void step_alone(struct session *session, enum session_event event)
{
    switch (take_step(session, event)->action) {
    case ACTION_CLOSE:
    case ACTION_SAY_MALFORMED: conn_close(session->conn); break;
    case ACTION_LET_GO: session->conn = NULL; break;
    default: break;
    }
}

void session_garbled(struct session *session)
{
    step_alone(session, EVENT_MALFORMED);
}

void session_lose_right(struct session *session)
{
    log_info("right_lost", "merchant=%s name=%s", session->identity.merchant,
             session->identity.name);
    step_alone(session, EVENT_RIGHT_LOST);
}

static bool is_duplicate(struct session *session, const struct request *request)
{
    const struct request *other;
    if (request->id > session->request_id_max) {
        session->request_id_max = request->id;
        return false;
    }
    TAILQ_FOREACH (other, &session->requests, in_list) {
        if (other != request && other->id == request->id && !other->is_answered)
            return true;
    }
    return false;
}

static void dispatch(struct request *request)
{
    const struct verb *verb = request->verb;
    if (!verb)
        request_answer_code(request, OUTCOME_CODE(UNEXPECTED_MESSAGE));
    else if (!(verb->roles & request->session->identity.role))
        request_answer_code(request, OUTCOME_CODE(NOT_ALLOWED));
    else
        verb->handle(request);
}

void session_step(struct request *request, enum session_event event)
{
    switch (take_step(request->session, event)->action) {
    case ACTION_WELCOME: hello_welcome(request); return;
    case ACTION_REFRESH: hello_refresh(request); return;
    case ACTION_DISPATCH: dispatch(request); return;
    case ACTION_SAY_NOT_IDENTIFIED: hello_refuse(request); return;
    case ACTION_SAY_WRONG_MERCHANT:
        request_answer_code(request, OUTCOME_CODE(WRONG_MERCHANT));
        return;
    case ACTION_SAY_UNSUPPORTED_VERSION:
        request_answer_code(request, OUTCOME_CODE(UNSUPPORTED_VERSION));
        return;
    case ACTION_SAY_UNEXPECTED_MESSAGE:
        request_answer_code(request, OUTCOME_CODE(UNEXPECTED_MESSAGE));
        return;
    case ACTION_SAY_NOT_READY: request_answer_code(request, OUTCOME_CODE(NOT_READY)); return;
    case ACTION_NOTHING:
    case ACTION_CLOSE:
    case ACTION_LET_GO:
    case ACTION_SAY_MALFORMED: break;
    }
    assert(!"an action of no request");
}

void session_handle(struct request *request)
{
    bool is_hello = request->message->body_case == LOYAL__V1__REQUEST__BODY_HELLO;
    if (is_duplicate(request->session, request)) {
        struct answer answer = answer_of(OUTCOME_CODE(UNEXPECTED_MESSAGE));
        answer.field = "id";
        answer.text =
            "A request with this id is not answered yet. Use an id again after its answer.";
        request_answer(request, &answer);
        return;
    }
    session_step(request, is_hello ? hello_judge(request) : EVENT_REQUEST);
}

/* ---- rights ---- */

static bool terminal_is_known(struct session *session, const struct reference *reference, bool fill)
{
    const struct identity *identity = &session->identity;
    const struct reference_merchant *merchant =
        reference_merchant_by_code(reference, identity->merchant);
    const struct reference_terminal *terminal =
        merchant ? reference_terminal_by_code(reference, merchant->merchant_id, identity->name)
                 : NULL;
    if (!terminal || !terminal->active ||
        !reference_terminal_has(terminal, identity->certificate_sha256))
        return false;
    if (fill) {
        session->merchant_id = merchant->merchant_id;
        session->terminal_id = terminal->terminal_id;
        session->store_id = terminal->store_id;
        session->channel = terminal->channel;
        memcpy(session->currency, merchant->currency, sizeof session->currency);
    }
    return true;
}

bool session_is_known(struct session *session, const struct reference *reference, bool fill)
{
    const struct identity *identity = &session->identity;
    if (identity->role == IDENTITY_TERMINAL)
        return terminal_is_known(session, reference, fill);
    if (identity->role != IDENTITY_OPERATOR)
        return false;
    const struct reference_operator *row = reference_operator_by_name(reference, identity->name);
    if (!row || !row->active ||
        memcmp(row->certificate_sha256, identity->certificate_sha256, HASH_BYTES) != 0)
        return false;
    if (fill)
        session->operator_id = row->operator_id;
    return true;
}

void session_reference_changed(void *ctx, struct reference *reference)
{
    struct worker *worker = ctx;
    struct session *session;
    TAILQ_FOREACH (session, &worker->sessions, in_worker) {
        /* cppcheck-suppress uninitvar ; the macro hides the assignment */
        if (session->state == SESSION_OPEN && !session_is_known(session, reference, true))
            session_lose_right(session);
    }
}

/* ---- the connection's side ---- */

void session_release(struct session *session)
{
    if (session->conn || !TAILQ_EMPTY(&session->requests))
        return;
    TAILQ_REMOVE(&session->worker->sessions, session, in_worker);
    free(session->presences);
    free(session->identity_fault);
    free(session);
}

static void *on_opened(void *ctx, struct conn *conn, X509 *peer)
{
    struct worker *worker = ctx;
    struct err err = {0};
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    bool is_named =
        identity_of_certificate(peer, worker->config->network, &session->identity, &err);
    if (!is_named && err.code == ENOMEM) {
        free(session);
        return NULL;
    }
    session->worker = worker;
    session->conn = conn;
    session->state = SESSION_GREETING;
    TAILQ_INIT(&session->requests);
    TAILQ_INSERT_TAIL(&worker->sessions, session, in_worker);
    if (!is_named) {
        log_info("certificate_refused", "reason=\"%s\"", err.text);
        session->identity_fault = strdup(err.text); /* without memory Hello says less */
    }
    return session;
}

static void on_frame(void *owner, const uint8_t *bytes, size_t size)
{
    request_receive(owner, bytes, size);
}

static void on_garbled(void *owner, bool too_long)
{
    struct answer answer = answer_of(OUTCOME_CODE(MALFORMED));
    answer.text = too_long ? "The frame is longer than Limits.request_bytes_max."
                           : "The frame's length is 0: each holds a message.";
    session_garbled(owner);
    answer_send(owner, 0, &answer);
}

static void on_closed(void *owner)
{
    struct session *session = owner;
    crowd_leave(session);
    step_alone(session, EVENT_PEER_GONE);
    session_release(session);
}

const struct conn_handler session_handler = {
    .opened = on_opened,
    .frame = on_frame,
    .garbled = on_garbled,
    .closed = on_closed,
};

void session_drain_all(struct worker *worker, bool welcomed_only)
{
    struct session *session;
    TAILQ_FOREACH (session, &worker->sessions, in_worker) {
        /* cppcheck-suppress uninitvar ; the macro hides the assignment */
        if (session->state == SESSION_OPEN || (session->state != SESSION_GONE && !welcomed_only))
            step_alone(session, EVENT_DRAIN);
    }
}
