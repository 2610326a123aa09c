/* The exchange of requests and answers: Hello, sending, what an answer means for its request, and
 * what a lost connection means for all of them.
 *
 * Called by poll.c each turn and by client.c at the end. A callback may submit, cancel and destroy:
 * it is called with nothing half done, and nothing that it could change is kept across it. It must
 * never report RETRY or REFUSED for a request of which an earlier attempt may have been carried
 * out, unless the server decided by its key. */
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "outcome.h"

#define READS_PER_TURN 64
#define WINDOW_UNKNOWN 16

static void lose(struct loyal_client *client, const struct failure *failure, int64_t now_us);

/* ---- delivering ---- */

static void deliver(struct loyal_client *client, struct pending *pending)
{
    loyal_callback *callback = pending->callback;
    void *context = pending->context;
    client->incoming->answer.attempts = pending->attempts;
    client->delivered++;
    sdk_pending_release(&client->pending, pending);
    callback(context, &client->incoming->answer);
}

static void deliver_failure(struct loyal_client *client, struct pending *pending,
                            const struct failure *failure)
{
    sdk_answer_make(client->incoming, failure);
    if (pending->uncertain)
        client->incoming->answer.kind = LOYAL_UNKNOWN;
    deliver(client, pending);
}

static void explain(const struct loyal_client *client, const struct pending *pending,
                    struct failure *failure)
{
    bool down = client->connection.state != CONNECTION_READY && client->last.text[0] != '\0';
    switch (pending->over) {
    case LOYAL_CODE_INVALID_FIELD:
        sdk_failure_set(failure, LOYAL_REFUSED, pending->over, "%s",
                        pending->field[0] != '\0'
                            ? "there is no such verb, or more than the array holds"
                            : "the request does not fit into a frame");
        (void)snprintf(failure->field, sizeof failure->field, "%s", pending->field);
        break;
    case LOYAL_CODE_MEMORY:
        sdk_failure_set(failure, LOYAL_RETRY, pending->over, "no memory for the request");
        break;
    case LOYAL_CODE_TIMEOUT:
        sdk_failure_set(failure, LOYAL_RETRY, pending->over, "no answer in time%s%.300s",
                        down ? "; " : "", down ? client->last.text : "");
        break;
    case LOYAL_CODE_CANCELLED:
        sdk_failure_set(failure, LOYAL_RETRY, pending->over, "cancelled by this program");
        break;
    default: *failure = client->last;
    }
}

/* What ends meanwhile, by callbacks, waits for the next turn. */
static void deliver_over(struct loyal_client *client)
{
    struct pending_table *table = &client->pending;
    struct pending *pending;
    for (uint32_t n = table->counts[PENDING_OVER];
         n > 0 && (pending = TAILQ_FIRST(&table->lists[PENDING_OVER])) != NULL; n--) {
        struct failure failure;
        explain(client, pending, &failure);
        deliver_failure(client, pending, &failure);
    }
}

/* ---- answers ---- */

/* Decided before the key was looked up: says nothing of an earlier attempt. */
static bool is_before_key(enum loyal_code code)
{
    return (code >= LOYAL_CODE_MALFORMED && code <= LOYAL_CODE_NOT_ALLOWED) ||
           code == LOYAL_CODE_INTERNAL || code == LOYAL_CODE_UNKNOWN_MEMBER;
}

static bool is_repeated(struct loyal_client *client, struct pending *pending, int64_t now_us)
{
    const struct loyal_answer *answer = &client->incoming->answer;
    if (!pending->repeat || (answer->kind != LOYAL_RETRY && answer->kind != LOYAL_UNKNOWN))
        return false;
    pending->due_us =
        now_us + sdk_retry_delay_us(&client->jitter, pending->attempts, answer->retry_after_ms);
    return pending->due_us < pending->deadline_us;
}

static void take_response(struct loyal_client *client, struct pending *pending,
                          const Loyal__V1__Response *response, int64_t now_us)
{
    struct loyal_answer *answer = &client->incoming->answer;
    if (!sdk_answer_fill(client->incoming, pending->verb, response)) {
        struct failure failure;
        sdk_failure_set(&failure, LOYAL_RETRY, LOYAL_CODE_PROTOCOL,
                        "the answer does not belong to the request");
        pending->uncertain = true;
        deliver_failure(client, pending, &failure);
        return;
    }
    client->failures = 0;
    if (answer->kind == LOYAL_UNKNOWN)
        pending->uncertain = true;
    if (is_repeated(client, pending, now_us)) {
        sdk_pending_move(&client->pending, pending, PENDING_WAITING, false);
        return;
    }
    if (pending->uncertain && (answer->kind == LOYAL_RETRY ||
                               (answer->kind == LOYAL_REFUSED && is_before_key(answer->code))))
        answer->kind = LOYAL_UNKNOWN;
    if (pending->verb == LOYAL_PING && answer->kind == LOYAL_OK) {
        client->server_time_us = answer->as_of_us;
        client->server_time_at_us = now_us;
    }
    deliver(client, pending);
}

static void take_hello(struct loyal_client *client, const Loyal__V1__Response *response,
                       int64_t now_us)
{
    struct failure failure;
    sdk_answer_failure(response, &failure);
    const Loyal__V1__HelloResponse *hello =
        response->body_case == LOYAL__V1__RESPONSE__BODY_HELLO ? response->hello : NULL;
    if (failure.kind == LOYAL_OK && hello == NULL)
        sdk_failure_set(&failure, LOYAL_RETRY, LOYAL_CODE_PROTOCOL,
                        "the answer to Hello is of another kind");
    if (failure.kind == LOYAL_UNKNOWN)
        failure.kind = LOYAL_RETRY; /* Hello has no effect that could be unknown */
    if (failure.kind != LOYAL_OK || hello == NULL) {
        lose(client, &failure, now_us);
        return;
    }
    uint32_t window = hello->limits != NULL ? hello->limits->in_flight_max : 0;
    client->server_in_flight_max = window > 0 ? window : WINDOW_UNKNOWN;
    client->server_deadline_ms_max = hello->limits != NULL ? hello->limits->deadline_ms_max : 0;
    client->server_time_us = hello->server_time_us;
    client->server_time_at_us = now_us;
    sdk_connection_accept(&client->connection);
}

/* An answer that no request in flight waits for. */
static void take_stray(struct loyal_client *client, uint64_t id,
                       const Loyal__V1__Response *response, int64_t now_us)
{
    struct failure failure;
    if (id == 0 && response->outcome->kind != OUTCOME_KIND(OK)) {
        /* The server could not read a frame, or takes leave: whose frame is not known. */
        sdk_answer_failure(response, &failure);
        if (failure.kind == LOYAL_UNKNOWN)
            failure.kind = LOYAL_RETRY;
        lose(client, &failure, now_us);
        return;
    }
    /* Its request has timed out meanwhile, or was cancelled. */
    if (sdk_pending_was_numbered(&client->pending, id, client->sequence_before))
        return;
    sdk_failure_set(&failure, LOYAL_RETRY, LOYAL_CODE_PROTOCOL,
                    "an answer to a request that was never sent");
    lose(client, &failure, now_us);
}

static void take_message(struct loyal_client *client, const uint8_t *bytes, size_t n,
                         int64_t now_us)
{
    struct failure failure;
    uint64_t id = 0;
    const Loyal__V1__Response *response =
        sdk_answer_unpack(client->incoming, bytes, n, &id, &failure);
    bool greeting = client->connection.state == CONNECTION_GREETING;
    struct pending *pending = greeting ? NULL : sdk_pending_find(&client->pending, id);
    if (pending != NULL && response != NULL) {
        take_response(client, pending, response, now_us);
    } else if (pending != NULL) {
        pending->uncertain = true;
        deliver_failure(client, pending, &failure);
    } else if (response == NULL) {
        lose(client, &failure, now_us);
    } else if (greeting && (id == 0 || id == client->hello_id)) {
        take_hello(client, response, now_us);
    } else {
        take_stray(client, id, response, now_us);
    }
}

/* ---- losing the connection ---- */

/* Whether trying again cannot help, before somebody does something about it. */
static bool is_final(const struct failure *failure)
{
    return failure->kind == LOYAL_REFUSED || failure->code == LOYAL_CODE_PROTOCOL;
}

/* Of those in the list, ends each that is not to be sent again. */
static void end_list(struct loyal_client *client, enum pending_state state, bool all)
{
    struct pending *pending = TAILQ_FIRST(&client->pending.lists[state]);
    while (pending != NULL) {
        struct pending *next = TAILQ_NEXT(pending, entry);
        if (all || !pending->repeat)
            sdk_pending_finish(&client->pending, pending, LOYAL_CODE_CONNECTION);
        pending = next;
    }
}

/* Takes back what was sent, in its order. What was written may have been carried out. */
static void take_back(struct loyal_client *client)
{
    struct pending_table *table = &client->pending;
    struct pending *pending;
    while ((pending = TAILQ_LAST(&table->lists[PENDING_SENT], pending_list)) != NULL) {
        if (pending->end <= client->connection.written)
            pending->uncertain = true;
        sdk_pending_move(table, pending, PENDING_READY, true);
    }
}

/* Closes the connection and decides what becomes of each request; calls nobody back. */
static void lose(struct loyal_client *client, const struct failure *failure, int64_t now_us)
{
    take_back(client);
    sdk_connection_close(&client->connection);
    client->unread = false;
    client->last = *failure;
    client->losses++;
    client->failures++;
    client->not_before_us =
        now_us + sdk_retry_delay_us(&client->jitter, client->failures, failure->retry_after_ms);
    end_list(client, PENDING_READY, is_final(failure));
    end_list(client, PENDING_WAITING, is_final(failure));
}

/* ---- sending ---- */

static uint32_t deadline_ms_of(const struct loyal_client *client, int64_t deadline_us,
                               int64_t now_us)
{
    int64_t ms = (deadline_us - now_us) / 1000;
    if (client->server_deadline_ms_max > 0 && ms > client->server_deadline_ms_max)
        ms = client->server_deadline_ms_max;
    return ms < 1 ? 1 : (uint32_t)ms;
}

/* Puts the head and the message into the connection's buffer; false when there is no room now. */
static bool put_frame(struct loyal_client *client, const struct message *message, uint64_t id,
                      uint32_t deadline_ms)
{
    uint8_t *room =
        sdk_connection_reserve(&client->connection, REQUEST_HEAD_BYTES_MAX + message->size);
    if (room == NULL)
        return false;
    size_t head = sdk_request_head(room, message->size, id, deadline_ms);
    memcpy(room + head, message->bytes, message->size);
    sdk_connection_put(&client->connection, head + message->size);
    return true;
}

static void put_ready(struct loyal_client *client, int64_t now_us)
{
    struct pending_table *table = &client->pending;
    struct pending *pending;
    while ((pending = TAILQ_FIRST(&table->lists[PENDING_READY])) != NULL &&
           table->counts[PENDING_SENT] < client->server_in_flight_max) {
        uint64_t id = sdk_pending_number(table, pending);
        uint32_t deadline_ms = deadline_ms_of(client, pending->deadline_us, now_us);
        if (!put_frame(client, &pending->message, id, deadline_ms))
            return;
        pending->end = client->connection.put;
        pending->attempts++;
        sdk_pending_move(table, pending, PENDING_SENT, false);
    }
}

static bool put_hello(struct loyal_client *client, int64_t now_us, struct failure *failure)
{
    client->sequence_before = client->pending.sequence;
    client->hello_id = ++client->pending.sequence << PENDING_SLOT_BITS;
    if (put_frame(client, &client->hello, client->hello_id,
                  deadline_ms_of(client, client->connection.deadline_us, now_us)))
        return true;
    sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_MEMORY, "no memory for Hello");
    return false;
}

static void send_ready(struct loyal_client *client, int64_t now_us)
{
    struct failure failure;
    client->fresh = false;
    if (client->connection.state != CONNECTION_READY)
        return;
    /* Once more when the first round left the buffer empty: there may be more than it holds. */
    do {
        put_ready(client, now_us);
        if (sdk_buffer_used(&client->connection.out) == 0)
            return;
        if (!sdk_connection_write(&client->connection, &failure)) {
            lose(client, &failure, now_us);
            return;
        }
    } while (sdk_buffer_used(&client->connection.out) == 0);
}

/* ---- connecting ---- */

static bool wants_to_connect(const struct loyal_client *client)
{
    return client->connection.state == CONNECTION_DOWN &&
           (client->wants_connection || client->pending.in_use > 0);
}

static void connect_if_due(struct loyal_client *client, int64_t now_us)
{
    struct failure failure;
    if (!wants_to_connect(client) || now_us < client->not_before_us)
        return;
    int64_t deadline_us = now_us + (int64_t)client->connect_timeout_ms * 1000;
    if (!sdk_connection_open(&client->connection, now_us, deadline_us, &failure))
        lose(client, &failure, now_us);
}

static void advance(struct loyal_client *client, int64_t now_us)
{
    struct failure failure;
    struct connection *connection = &client->connection;
    enum connection_state before = connection->state;
    bool ok = sdk_connection_advance(connection, now_us, &failure);
    if (ok && before != CONNECTION_GREETING && connection->state == CONNECTION_GREETING)
        ok = put_hello(client, now_us, &failure) && sdk_connection_write(connection, &failure);
    if (!ok)
        lose(client, &failure, now_us);
}

/* ---- reading ---- */

static bool is_open(const struct connection *connection)
{
    return connection->state == CONNECTION_GREETING || connection->state == CONNECTION_READY;
}

static void take_messages(struct loyal_client *client, int64_t now_us)
{
    struct failure failure;
    const uint8_t *bytes = NULL;
    size_t n = 0;
    while (is_open(&client->connection)) {
        enum connection_input input =
            sdk_connection_next(&client->connection, &bytes, &n, &failure);
        if (input == INPUT_NONE)
            break;
        if (input == INPUT_FAILED)
            lose(client, &failure, now_us);
        else
            take_message(client, bytes, n, now_us);
    }
}

static void read_answers(struct loyal_client *client, int64_t now_us)
{
    struct failure failure;
    struct connection *connection = &client->connection;
    client->unread = false;
    for (int reads = 0; is_open(connection); reads++) {
        if (reads == READS_PER_TURN) {
            client->unread = true;
            break;
        }
        enum connection_input input = sdk_connection_read(connection, &failure);
        if (input == INPUT_FAILED)
            lose(client, &failure, now_us);
        if (input != INPUT_SOME)
            break;
        take_messages(client, now_us);
        if (connection->ssl != NULL && !SSL_has_pending(connection->ssl))
            break;
    }
}

/* ---- a turn ---- */

static void use_events(struct loyal_client *client, short events, int64_t now_us)
{
    struct connection *connection = &client->connection;
    struct failure failure;
    if (!is_open(connection)) {
        if (connection->state != CONNECTION_DOWN && events != 0)
            advance(client, now_us);
        return;
    }
    if ((events & POLLOUT) != 0 && !sdk_connection_write(connection, &failure))
        lose(client, &failure, now_us);
    else if ((events & ~POLLOUT) != 0 || client->unread || connection->write_broken)
        read_answers(client, now_us);
}

static void run_timers(struct loyal_client *client, int64_t now_us)
{
    struct pending *pending;
    while ((pending = sdk_pending_due(&client->pending, now_us)) != NULL) {
        if (now_us >= pending->deadline_us)
            sdk_pending_finish(&client->pending, pending, LOYAL_CODE_TIMEOUT);
        else
            sdk_pending_move(&client->pending, pending, PENDING_READY, false);
    }
    if (now_us >= sdk_connection_timer_us(&client->connection))
        advance(client, now_us);
}

int sdk_exchange_turn(struct loyal_client *client, short events, int64_t now_us)
{
    struct failure failure;
    uint64_t before = client->delivered;
    use_events(client, events, now_us);
    run_timers(client, now_us);
    deliver_over(client);
    connect_if_due(client, now_us);
    send_ready(client, now_us);
    if (!sdk_connection_watch(&client->connection, &failure))
        lose(client, &failure, now_us);
    return (int)(client->delivered - before);
}

int64_t sdk_exchange_timer_us(const struct loyal_client *client)
{
    if (client->pending.counts[PENDING_OVER] > 0 || client->fresh || client->unread ||
        client->connection.write_broken)
        return 0;
    int64_t timer_us = sdk_pending_timer_us(&client->pending);
    int64_t connection_us = wants_to_connect(client) ? client->not_before_us
                                                     : sdk_connection_timer_us(&client->connection);
    return connection_us < timer_us ? connection_us : timer_us;
}

void sdk_exchange_abandon(struct loyal_client *client)
{
    deliver_over(client);
    take_back(client);
    sdk_connection_close(&client->connection);
    sdk_failure_set(&client->last, LOYAL_RETRY, LOYAL_CODE_CONNECTION, "the client was destroyed");
    end_list(client, PENDING_READY, true);
    end_list(client, PENDING_WAITING, true);
    while (client->pending.counts[PENDING_OVER] > 0)
        deliver_over(client);
}
