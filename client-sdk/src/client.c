/* The life of a client, taking requests and taking them back.
 *
 * Public functions; call.c also submits through here. It must never call a callback, but from
 * loyal_client_destroy. */
#include "client.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "outcome.h"

/* ---- life ---- */

static char *copy(const char *text, const char *otherwise)
{
    return strdup(text != NULL && text[0] != '\0' ? text : otherwise);
}

static bool complain(char *error_out, size_t error_size, const char *text)
{
    if (error_out != NULL && error_size > 0)
        (void)snprintf(error_out, error_size, "%s", text);
    return false;
}

static bool options_take(struct loyal_client *client, const struct loyal_options *options,
                         char *error_out, size_t error_size)
{
    if (options->host == NULL || options->host[0] == '\0')
        return complain(error_out, error_size, "host is missing");
    client->host = strdup(options->host);
    client->port = copy(options->port, CLIENT_PORT);
    client->server_name = copy(options->server_name, options->host);
    if (client->host == NULL || client->port == NULL || client->server_name == NULL)
        return complain(error_out, error_size, "no memory");
    client->deadline_ms = options->deadline_ms > 0 ? options->deadline_ms : CLIENT_DEADLINE_MS;
    client->connect_timeout_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CLIENT_CONNECT_TIMEOUT_MS;
    client->in_flight_max =
        options->in_flight_max < PENDING_MAX ? options->in_flight_max : PENDING_MAX;
    client->held_bytes_max =
        options->in_flight_bytes_max > 0 ? options->in_flight_bytes_max : CLIENT_HELD_BYTES;
    client->no_repeat = options->no_repeat;
    const struct hello hello = {options->merchant, options->software};
    if (sdk_request_encode_hello(&hello, &client->hello) != LOYAL_CODE_OK)
        return complain(error_out, error_size, "no memory for Hello, or its texts are too long");
    client->connection.host = client->host;
    client->connection.port = client->port;
    client->connection.server_name = client->server_name;
    return true;
}

struct loyal_client *loyal_client_create(const struct loyal_options *options, char *error_out,
                                         size_t error_size)
{
    struct loyal_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        (void)complain(error_out, error_size, "no memory");
        return NULL;
    }
    sdk_connection_init(&client->connection);
    sdk_pending_init(&client->pending);
    sdk_arena_init(&client->scratch);
    sdk_answer_init(&client->boxes[0]);
    sdk_answer_init(&client->boxes[1]);
    client->incoming = &client->boxes[0];
    client->kept = &client->boxes[1];
    client->jitter = sdk_jitter_seed();
    if (!options_take(client, options, error_out, error_size) ||
        !sdk_tls_setup(&client->connection.tls, options, error_out, error_size))
        loyal_client_destroy(&client);
    return client;
}

void sdk_client_free(struct loyal_client *client)
{
    sdk_connection_free(&client->connection);
    sdk_pending_free(&client->pending);
    sdk_arena_free(&client->scratch);
    sdk_answer_free(&client->boxes[0]);
    sdk_answer_free(&client->boxes[1]);
    free(client->hello.bytes);
    free(client->host);
    free(client->port);
    free(client->server_name);
    free(client);
}

void loyal_client_destroy(struct loyal_client **client)
{
    struct loyal_client *gone = *client;
    if (gone == NULL)
        return;
    assert(!gone->closing && !gone->waiting);
    *client = NULL;
    gone->closing = true;
    sdk_exchange_abandon(gone);
    if (!gone->turning)
        sdk_client_free(gone);
}

int64_t loyal_server_time_us(const struct loyal_client *client)
{
    if (client->server_time_us == 0)
        return 0;
    return client->server_time_us + sdk_now_us() - client->server_time_at_us;
}

/* ---- submitting ---- */

size_t loyal_room(const struct loyal_client *client)
{
    const struct pending_table *table = &client->pending;
    uint32_t max = client->in_flight_max;
    if (max == 0)
        max = client->server_in_flight_max > 0 ? client->server_in_flight_max : CLIENT_IN_FLIGHT;
    bool full =
        client->closing || table->in_use >= max || table->held_bytes >= client->held_bytes_max;
    return full ? 0 : max - table->in_use;
}

/* A request that cannot be encoded is refused at the next turn, as if the server had done it. */
loyal_ticket sdk_client_submit(struct loyal_client *client, const struct submission *submission)
{
    struct pending *pending = loyal_room(client) > 0 ? sdk_pending_take(&client->pending) : NULL;
    if (pending == NULL)
        return LOYAL_FULL;
    pending->over = sdk_request_encode(submission->request, &client->scratch, &pending->message,
                                       &pending->field);
    pending->verb = submission->request->verb;
    pending->callback = submission->callback;
    pending->context = submission->context;
    pending->deadline_us = submission->deadline_us;
    pending->repeat = submission->repeat;
    client->fresh = true;
    sdk_pending_start(&client->pending, pending,
                      pending->over == LOYAL_CODE_OK ? PENDING_READY : PENDING_OVER);
    return pending->ticket;
}

loyal_ticket loyal_submit(struct loyal_client *client, const struct loyal_request *request,
                          loyal_callback *callback, void *context)
{
    const struct submission submission = {
        .request = request,
        .callback = callback,
        .context = context,
        .deadline_us = sdk_now_us() + (int64_t)client->deadline_ms * 1000,
        .repeat = !client->no_repeat,
    };
    return sdk_client_submit(client, &submission);
}

bool loyal_cancel(struct loyal_client *client, loyal_ticket ticket)
{
    struct pending *pending = sdk_pending_of(&client->pending, ticket);
    if (pending == NULL || pending->state == PENDING_OVER)
        return false;
    sdk_pending_finish(&client->pending, pending, LOYAL_CODE_CANCELLED);
    return true;
}

size_t loyal_in_flight(const struct loyal_client *client)
{
    return client->pending.in_use;
}

size_t loyal_unsent(const struct loyal_client *client)
{
    return client->pending.queued_bytes + sdk_buffer_used(&client->connection.out);
}

void loyal_disconnect(struct loyal_client *client)
{
    if (client->connection.fd >= 0)
        (void)shutdown(client->connection.fd, SHUT_RDWR);
}

/* ---- names ---- */

const char *loyal_code_name(enum loyal_code code)
{
    switch ((int)code) {
    case LOYAL_CODE_CONNECTION: return "CONNECTION";
    case LOYAL_CODE_TIMEOUT: return "TIMEOUT";
    case LOYAL_CODE_CERTIFICATE: return "CERTIFICATE";
    case LOYAL_CODE_PROTOCOL: return "PROTOCOL";
    case LOYAL_CODE_MEMORY: return "MEMORY";
    case LOYAL_CODE_CANCELLED: return "CANCELLED";
    default: break;
    }
    const struct outcome *outcome = outcome_of((Loyal__V1__ResultCode)code);
    return outcome != NULL ? outcome->name : "UNRECOGNISED";
}

const char *loyal_version(void)
{
    return LOYAL_VERSION;
}
