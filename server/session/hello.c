/* Hello: who is it, does the reference know him, which version. Called by session.c's steps. A
 * certificate that the snapshot does not know is looked for in the newest reference before it is
 * refused; all that wait share one question to the database. */
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "frame.h"
#include "outcome.h"
#include "rules.h"
#include "session/session.h"
#include "session/software.h"

/* In the order of precedence of the result codes. */
enum session_event hello_judge(struct request *request)
{
    struct session *session = request->session;
    const Loyal__V1__HelloRequest *hello = request->message->hello;
    const struct reference *reference = engine_reference(session->worker->engine);
    if (hello->version_min > PROTOCOL_VERSION || hello->version_max < PROTOCOL_VERSION)
        return EVENT_HELLO_OTHER_VERSION;
    if (session->identity.role == IDENTITY_NOBODY)
        return EVENT_HELLO_NOBODY;
    if (!reference)
        return EVENT_HELLO_NO_REFERENCE;
    if (!session_is_known(session, reference, true))
        return EVENT_HELLO_STRANGER;
    if (strcmp(hello->merchant, session->identity.merchant) != 0)
        return EVENT_HELLO_OTHER_MERCHANT;
    return EVENT_HELLO_FITS;
}

void hello_welcome(struct request *request)
{
    struct session *session = request->session;
    struct worker *worker = session->worker;
    Loyal__V1__HelloResponse hello = LOYAL__V1__HELLO_RESPONSE__INIT;
    Loyal__V1__Limits limits = LOYAL__V1__LIMITS__INIT;
    struct answer answer = answer_of(OUTCOME_CODE(OK));
    limits.request_bytes_max = FRAME_REQUEST_BYTES_MAX;
    limits.response_bytes_max = FRAME_RESPONSE_BYTES_MAX;
    limits.in_flight_max = (uint32_t)worker->config->in_flight_max;
    limits.basket_lines_max = RULE_BASKET_LINES_MAX;
    limits.deadline_ms_max = (uint32_t)worker->config->deadline_ms_max;
    limits.key_age_days_max = KEY_AGE_DAYS_MAX;
    limits.key_ahead_s_max = KEY_AHEAD_S_MAX;
    hello.version = PROTOCOL_VERSION;
    hello.server_time_us = domain_clock_us(worker->clock);
    hello.limits = &limits;
    hello.role = session->identity.role == IDENTITY_OPERATOR ? LOYAL__V1__ROLE__ROLE_OPERATOR
                                                             : LOYAL__V1__ROLE__ROLE_TERMINAL;
    hello.network = worker->config->network;
    hello.merchant = session->identity.merchant;
    hello.name = session->identity.name;
    hello.currency = session->currency;
    hello.software = (char *)(uintptr_t)SOFTWARE;
    answer.response.body_case = LOYAL__V1__RESPONSE__BODY_HELLO;
    answer.response.hello = &hello;
    if (session->conn) {
        conn_welcome(session->conn);
        conn_resume(session->conn);
    }
    request_answer(request, &answer);
}

/* Registering helps a certificate that names somebody, no other. */
void hello_refuse(struct request *request)
{
    char text[OUTCOME_TEXT_BYTES_MAX + 1];
    const char *fault = request->session->identity_fault;
    struct answer answer = answer_of(OUTCOME_CODE(NOT_IDENTIFIED));
    if (fault) {
        snprintf(text, sizeof text,
                 "The certificate is refused: %s. Have the operator make another.", fault);
        answer.text = text;
    }
    request_answer(request, &answer);
}

static void ask(struct worker *worker);

/* Judges anew those who asked before the reference was read; the others need another question. */
static void on_refreshed(void *ctx, bool is_fresh)
{
    struct worker *worker = ctx;
    struct request_list asked = TAILQ_HEAD_INITIALIZER(asked);
    struct request *request;
    worker->is_refreshing = false;
    TAILQ_CONCAT(&asked, &worker->strangers, in_strangers);
    while ((request = TAILQ_FIRST(&asked))) {
        struct session *session = request->session;
        TAILQ_REMOVE(&asked, request, in_strangers);
        if (session->state != SESSION_IDENTIFYING) {
            request_answer_code(request, OUTCOME_CODE(NOT_READY));
            continue;
        }
        conn_resume(session->conn);
        /* a stranger to an old snapshot may be known by now */
        session_step(request, is_fresh ? hello_judge(request) : EVENT_HELLO_NO_REFERENCE);
    }
    TAILQ_CONCAT(&worker->strangers, &worker->latecomers, in_strangers);
    if (!TAILQ_EMPTY(&worker->strangers))
        ask(worker);
}

static void ask(struct worker *worker)
{
    worker->is_refreshing = true;
    worker->refresh = (struct waiter){.done = on_refreshed, .ctx = worker};
    engine_refresh(worker->engine, &worker->refresh);
}

void hello_refresh(struct request *request)
{
    struct worker *worker = request->session->worker;
    conn_pause(request->session->conn);
    if (worker->is_refreshing) {
        TAILQ_INSERT_TAIL(&worker->latecomers, request, in_strangers);
        return;
    }
    TAILQ_INSERT_TAIL(&worker->strangers, request, in_strangers);
    ask(worker);
}
