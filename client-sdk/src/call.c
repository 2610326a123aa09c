/* The blocking calls, made of submit and poll.
 *
 * Public functions. The answer is kept by exchanging the client's two boxes, so that other answers
 * of the same turn cannot overwrite it. It must never return before its request is delivered: the
 * callback's context lies on this stack. */
#include <assert.h>
#include <limits.h>

#include "client.h"

#define WAIT_MS 1000

struct call {
    struct loyal_client *client;
    bool done;
};

static void call_done(void *context, const struct loyal_answer *answer)
{
    struct call *call = context;
    struct loyal_client *client = call->client;
    struct answer_box *box = client->incoming;
    assert(answer == &box->answer);
    (void)answer;
    client->incoming = client->kept;
    client->kept = box;
    call->done = true;
}

static enum loyal_kind keep(struct loyal_client *client, const struct failure *failure,
                            const struct loyal_answer **answer_out)
{
    sdk_answer_make(client->kept, failure);
    if (answer_out != NULL)
        *answer_out = &client->kept->answer;
    return failure->kind;
}

/* Callbacks that run meanwhile must not destroy the client. */
static void wait_turn(struct loyal_client *client, int timeout_ms)
{
    client->waiting = true;
    (void)loyal_poll(client, timeout_ms);
    client->waiting = false;
}

/* A server may have closed an idle connection: better to see it before something is written. */
static void look_at_idle(struct loyal_client *client)
{
    if (client->connection.state == CONNECTION_READY && client->pending.in_use == 0)
        wait_turn(client, 0);
}

static int wait_ms_of(int64_t deadline_us)
{
    int64_t ms = (deadline_us - sdk_now_us() + 999) / 1000;
    return ms < 0 ? 0 : ms > WAIT_MS ? WAIT_MS : (int)ms;
}

/* Whether one lost connection is the end of trying. */
static bool gives_up(const struct loyal_client *client, bool once)
{
    return once || client->last.kind == LOYAL_REFUSED || client->last.code == LOYAL_CODE_PROTOCOL;
}

/* Turns the loop until the connection is READY; false: *failure says why not. */
static bool connect_until(struct loyal_client *client, int64_t deadline_us, bool once,
                          struct failure *failure)
{
    uint64_t losses = client->losses;
    bool ok = true;
    client->wants_connection = true;
    while (ok && client->connection.state != CONNECTION_READY) {
        wait_turn(client, wait_ms_of(deadline_us));
        if (client->connection.state == CONNECTION_READY)
            break;
        if (client->losses != losses && gives_up(client, once)) {
            *failure = client->last;
            ok = false;
        } else if (sdk_now_us() >= deadline_us) {
            sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_TIMEOUT,
                            "no connection in time%s%.300s",
                            client->last.text[0] != '\0' ? "; " : "", client->last.text);
            ok = false;
        }
        losses = client->losses;
    }
    client->wants_connection = false;
    return ok;
}

enum loyal_kind loyal_connect(struct loyal_client *client, const struct loyal_answer **answer_out)
{
    struct failure failure;
    int64_t deadline_us = sdk_now_us() + (int64_t)client->deadline_ms * 1000;
    look_at_idle(client);
    if (connect_until(client, deadline_us, true, &failure))
        sdk_failure_set(&failure, LOYAL_OK, LOYAL_CODE_OK, "connected");
    return keep(client, &failure, answer_out);
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Waits for room among the requests in flight. */
static bool submit_until(struct loyal_client *client, const struct submission *submission,
                         struct failure *failure)
{
    while (!sdk_client_submit(client, submission)) {
        if (sdk_now_us() >= submission->deadline_us || client->pending.in_use == 0) {
            sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_MEMORY,
                            "no memory, or too many requests in flight");
            return false;
        }
        wait_turn(client, wait_ms_of(submission->deadline_us));
    }
    return true;
}

enum loyal_kind loyal_call(struct loyal_client *client, const struct loyal_request *request,
                           const struct loyal_answer **answer_out)
{
    struct call call = {.client = client};
    struct loyal_request keyed = *request;
    struct failure failure;
    struct submission submission = {
        .request = &keyed,
        .callback = call_done,
        .context = &call,
        .deadline_us = sdk_now_us() + (int64_t)client->deadline_ms * 1000,
        .repeat = true,
    };
    look_at_idle(client);
    if (sdk_request_has_key(keyed.verb) && is_zero(keyed.key, sizeof keyed.key)) {
        /* Keys are made in the server's time, which Hello tells. */
        if (client->server_time_us == 0 &&
            !connect_until(client, submission.deadline_us, false, &failure))
            return keep(client, &failure, answer_out);
        loyal_key_make(loyal_server_time_us(client), keyed.key);
    }
    if (!submit_until(client, &submission, &failure))
        return keep(client, &failure, answer_out);
    while (!call.done)
        wait_turn(client, WAIT_MS);
    if (answer_out != NULL)
        *answer_out = &client->kept->answer;
    return client->kept->answer.kind;
}
