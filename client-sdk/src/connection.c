/* Socket, TLS and frames of one connection.
 *
 * Called by exchange.c and poll.c. It must never wait, nor know what a frame says. */
#include "connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "request.h"

#define READ_BYTES 16384
/* Above this, requests wait where they can still be taken back. */
#define OUT_BYTES_MARK 32768
#define OUT_BYTES_MAX  (OUT_BYTES_MARK + FRAME_HEADER_BYTES + FRAME_REQUEST_BYTES_MAX)
#define IN_BYTES_MAX   (FRAME_HEADER_BYTES + FRAME_RESPONSE_BYTES_MAX + READ_BYTES)
/* A peer that does not acknowledge for so long is gone. */
#define TCP_SILENCE_MS 10000
#define TCP_IDLE_S     60
#define TCP_PROBE_S    10
#define TCP_PROBES     3

static void state_set(struct connection *connection, enum connection_state state)
{
    /* Rows: from; columns: to. CONNECTING to itself: the next address. */
    static const bool transitions[CONNECTION_STATES][CONNECTION_STATES] = {
        [CONNECTION_DOWN] = {[CONNECTION_RESOLVING] = true,
                             [CONNECTION_CONNECTING] = true,
                             [CONNECTION_DOWN] = true},
        [CONNECTION_RESOLVING] = {[CONNECTION_CONNECTING] = true, [CONNECTION_DOWN] = true},
        [CONNECTION_CONNECTING] = {[CONNECTION_CONNECTING] = true,
                                   [CONNECTION_SECURING] = true,
                                   [CONNECTION_DOWN] = true},
        [CONNECTION_SECURING] = {[CONNECTION_GREETING] = true, [CONNECTION_DOWN] = true},
        [CONNECTION_GREETING] = {[CONNECTION_READY] = true, [CONNECTION_DOWN] = true},
        [CONNECTION_READY] = {[CONNECTION_DOWN] = true},
    };
    assert(transitions[connection->state][state]);
    connection->state = state;
}

void sdk_connection_init(struct connection *connection)
{
    *connection = (struct connection){.fd = -1};
    connection->in.max = IN_BYTES_MAX;
    connection->out.max = OUT_BYTES_MAX;
    sdk_watch_init(&connection->watch);
}

void sdk_connection_free(struct connection *connection)
{
    sdk_connection_close(connection);
    sdk_buffer_free(&connection->in);
    sdk_buffer_free(&connection->out);
    sdk_tls_free(&connection->tls);
    sdk_watch_free(&connection->watch);
}

static void socket_close(struct connection *connection)
{
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    sdk_watch_forget(&connection->watch, connection->fd);
    if (connection->fd >= 0)
        (void)close(connection->fd);
    connection->fd = -1;
}

void sdk_connection_close(struct connection *connection)
{
    socket_close(connection);
    if (connection->lookup != NULL)
        sdk_watch_forget(&connection->watch, sdk_lookup_fd(connection->lookup));
    sdk_lookup_drop(&connection->lookup);
    if (connection->addresses != NULL)
        freeaddrinfo(connection->addresses);
    connection->addresses = connection->address = NULL;
    sdk_buffer_clear(&connection->in);
    sdk_buffer_clear(&connection->out);
    connection->wants_write = connection->write_broken = false;
    connection->put = connection->written = 0;
    state_set(connection, CONNECTION_DOWN);
}

static bool fail_socket(const struct connection *connection, const char *what, int error,
                        struct failure *failure)
{
    char reason[128];
    sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_CONNECTION, "%s:%s: %s%s%s", connection->host,
                    connection->port, what, error != 0 ? ": " : "",
                    error != 0 ? strerror_r(error, reason, sizeof reason) : "");
    return false;
}

/* ---- opening ---- */

static void socket_tune(int fd)
{
    const int on = 1, silence = TCP_SILENCE_MS, idle = TCP_IDLE_S, probe = TCP_PROBE_S,
              probes = TCP_PROBES;
    /* Comforts: the connection works without them. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence, sizeof silence);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &probe, sizeof probe);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

/* Starts with the address at hand, or the first behind it that does not fail at once. */
static bool address_try(struct connection *connection, int64_t now_us, struct failure *failure)
{
    int error = 0;
    for (; connection->address != NULL; connection->address = connection->address->ai_next) {
        const struct addrinfo *address = connection->address;
        socket_close(connection);
        connection->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection->fd >= 0) {
            socket_tune(connection->fd);
            if (connect(connection->fd, address->ai_addr, address->ai_addrlen) == 0 ||
                errno == EINPROGRESS)
                break;
        }
        error = errno;
    }
    if (connection->address == NULL)
        return fail_socket(connection, "cannot connect", error, failure);
    int64_t left = 0; /* addresses, this one included: each gets its share of the time */
    for (const struct addrinfo *at = connection->address; at != NULL; at = at->ai_next)
        left++;
    connection->address_deadline_us = now_us + (connection->deadline_us - now_us) / left;
    state_set(connection, CONNECTION_CONNECTING);
    return true;
}

/* An address is taken as it stands; a name is looked up beside the loop. */
bool sdk_connection_open(struct connection *connection, int64_t now_us, int64_t deadline_us,
                         struct failure *failure)
{
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    assert(connection->state == CONNECTION_DOWN);
    connection->deadline_us = deadline_us;
    int rc = getaddrinfo(connection->host, connection->port, &hints, &connection->addresses);
    if (rc == 0) {
        connection->address = connection->addresses;
        return address_try(connection, now_us, failure);
    }
    connection->addresses = NULL;
    if (rc != EAI_NONAME)
        return fail_socket(connection, gai_strerror(rc), 0, failure);
    connection->lookup = sdk_lookup_start(connection->host, connection->port);
    if (connection->lookup == NULL)
        return fail_socket(connection, "cannot look the name up", errno, failure);
    state_set(connection, CONNECTION_RESOLVING);
    return true;
}

static bool advance_resolving(struct connection *connection, int64_t now_us,
                              struct failure *failure)
{
    if (!sdk_lookup_is_over(connection->lookup))
        return true;
    sdk_watch_forget(&connection->watch, sdk_lookup_fd(connection->lookup));
    int rc = sdk_lookup_take(&connection->lookup, &connection->addresses);
    if (rc != 0)
        return fail_socket(connection, gai_strerror(rc), 0, failure);
    connection->address = connection->addresses;
    return address_try(connection, now_us, failure);
}

/* The outcome of connect(2): 0, EINPROGRESS, or what went wrong. */
static int connect_result(const struct connection *connection, int64_t now_us)
{
    struct pollfd poll_fd = {.fd = connection->fd, .events = POLLOUT};
    if (poll(&poll_fd, 1, 0) <= 0)
        return now_us >= connection->address_deadline_us ? ETIMEDOUT : EINPROGRESS;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    return error;
}

static bool advance_connecting(struct connection *connection, int64_t now_us,
                               struct failure *failure)
{
    int error = connect_result(connection, now_us);
    if (error == EINPROGRESS)
        return true;
    if (error != 0) {
        connection->address = connection->address->ai_next;
        if (connection->address == NULL)
            return fail_socket(connection, "cannot connect", error, failure);
        return address_try(connection, now_us, failure);
    }
    connection->ssl = sdk_tls_open(&connection->tls, connection->fd, connection->server_name);
    if (connection->ssl == NULL) {
        sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_MEMORY, "no memory for a TLS session");
        return false;
    }
    freeaddrinfo(connection->addresses);
    connection->addresses = connection->address = NULL;
    state_set(connection, CONNECTION_SECURING);
    return true;
}

static bool advance_securing(struct connection *connection, struct failure *failure)
{
    ERR_clear_error();
    errno = 0;
    int rc = SSL_do_handshake(connection->ssl);
    if (sdk_tls_lacks_memory()) {
        sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_MEMORY, "no memory for a TLS handshake");
        return false;
    }
    switch (sdk_tls_judge(connection->ssl, rc)) {
    case TLS_STEP_DONE: break;
    case TLS_STEP_WANT_READ: connection->wants_write = false; return true;
    case TLS_STEP_WANT_WRITE: connection->wants_write = true; return true;
    case TLS_STEP_CLOSED:
        return fail_socket(connection, "closed during the TLS handshake", errno, failure);
    case TLS_STEP_FAILED: sdk_tls_explain(connection->ssl, failure); return false;
    }
    connection->wants_write = false;
    state_set(connection, CONNECTION_GREETING);
    return true;
}

bool sdk_connection_advance(struct connection *connection, int64_t now_us, struct failure *failure)
{
    if (connection->state == CONNECTION_RESOLVING &&
        !advance_resolving(connection, now_us, failure))
        return false;
    if (connection->state == CONNECTION_CONNECTING &&
        !advance_connecting(connection, now_us, failure))
        return false;
    if (connection->state == CONNECTION_SECURING && !advance_securing(connection, failure))
        return false;
    if (now_us >= sdk_connection_timer_us(connection) && connection->state != CONNECTION_CONNECTING)
        return fail_socket(connection, "no answer in time", 0, failure);
    return true;
}

void sdk_connection_accept(struct connection *connection)
{
    state_set(connection, CONNECTION_READY);
}

/* ---- writing ---- */

uint8_t *sdk_connection_reserve(struct connection *connection, size_t n)
{
    if (sdk_buffer_used(&connection->out) > OUT_BYTES_MARK)
        return NULL;
    return sdk_buffer_reserve(&connection->out, n);
}

void sdk_connection_put(struct connection *connection, size_t n)
{
    sdk_buffer_commit(&connection->out, n);
    connection->put += n;
}

bool sdk_connection_write(struct connection *connection, struct failure *failure)
{
    struct buffer *out = &connection->out;
    while (sdk_buffer_used(out) > 0 && !connection->write_broken) {
        ERR_clear_error();
        errno = 0;
        int rc = SSL_write(connection->ssl, sdk_buffer_head(out), (int)sdk_buffer_used(out));
        switch (sdk_tls_judge(connection->ssl, rc)) {
        case TLS_STEP_DONE:
            sdk_buffer_take(out, (size_t)rc);
            connection->written += (uint64_t)rc;
            break;
        case TLS_STEP_WANT_READ: return true;
        case TLS_STEP_WANT_WRITE: connection->wants_write = true; return true;
        case TLS_STEP_CLOSED: connection->write_broken = true; break;
        case TLS_STEP_FAILED: sdk_tls_explain(connection->ssl, failure); return false;
        }
    }
    connection->wants_write = false;
    return true;
}

/* ---- reading ---- */

enum connection_input sdk_connection_read(struct connection *connection, struct failure *failure)
{
    uint8_t *room = sdk_buffer_reserve(&connection->in, READ_BYTES);
    if (room == NULL) {
        sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_MEMORY, "no memory for an answer");
        return INPUT_FAILED;
    }
    ERR_clear_error();
    errno = 0;
    int rc = SSL_read(connection->ssl, room, READ_BYTES);
    switch (sdk_tls_judge(connection->ssl, rc)) {
    case TLS_STEP_DONE: sdk_buffer_commit(&connection->in, (size_t)rc); return INPUT_SOME;
    case TLS_STEP_WANT_WRITE: connection->wants_write = true; break;
    case TLS_STEP_WANT_READ: break;
    case TLS_STEP_CLOSED:
        (void)fail_socket(connection, "the connection was closed", errno, failure);
        return INPUT_FAILED;
    case TLS_STEP_FAILED: sdk_tls_explain(connection->ssl, failure); return INPUT_FAILED;
    }
    if (!connection->write_broken)
        return INPUT_NONE;
    (void)fail_socket(connection, "the connection broke", 0, failure);
    return INPUT_FAILED;
}

enum connection_input sdk_connection_next(struct connection *connection, const uint8_t **bytes_out,
                                          size_t *n_out, struct failure *failure)
{
    struct buffer *in = &connection->in;
    uint32_t length = 0;
    if (sdk_buffer_used(in) == 0)
        return INPUT_NONE;
    switch (
        frame_peek(sdk_buffer_head(in), sdk_buffer_used(in), FRAME_RESPONSE_BYTES_MAX, &length)) {
    case FRAME_NEED_MORE: return INPUT_NONE;
    case FRAME_READY: break;
    case FRAME_EMPTY:
    case FRAME_TOO_LONG:
        sdk_failure_set(failure, LOYAL_RETRY, LOYAL_CODE_PROTOCOL,
                        "an answer claims to have %u bytes", (unsigned)length);
        return INPUT_FAILED;
    }
    *bytes_out = sdk_buffer_head(in) + FRAME_HEADER_BYTES;
    *n_out = length;
    sdk_buffer_take(in, FRAME_HEADER_BYTES + (size_t)length);
    return INPUT_SOME;
}

/* ---- waiting ---- */

int sdk_connection_fd(const struct connection *connection)
{
    return connection->lookup != NULL ? sdk_lookup_fd(connection->lookup) : connection->fd;
}

short sdk_connection_events(const struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_RESOLVING: return POLLIN;
    case CONNECTION_CONNECTING: return POLLOUT;
    case CONNECTION_SECURING: return connection->wants_write ? POLLOUT : POLLIN;
    case CONNECTION_GREETING:
    case CONNECTION_READY: return connection->wants_write ? POLLIN | POLLOUT : POLLIN;
    case CONNECTION_DOWN:
    case CONNECTION_STATES: break;
    }
    return 0;
}

bool sdk_connection_watch(struct connection *connection, struct failure *failure)
{
    return sdk_watch_set(&connection->watch, sdk_connection_fd(connection),
                         sdk_connection_events(connection)) ||
           fail_socket(connection, "cannot watch the socket", errno, failure);
}

int64_t sdk_connection_timer_us(const struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_CONNECTING: return connection->address_deadline_us;
    case CONNECTION_RESOLVING:
    case CONNECTION_SECURING:
    case CONNECTION_GREETING: return connection->deadline_us;
    case CONNECTION_DOWN:
    case CONNECTION_READY:
    case CONNECTION_STATES: break;
    }
    return INT64_MAX;
}
