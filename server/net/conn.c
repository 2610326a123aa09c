/* Owns a connection whose TLS is done, to its end: frames, output and pace. Called by server.c,
 * handshake.c and by the sessions through conn.h. Never frees a connection inside a callback:
 * CLOSED ones go at the end of the turn.
 *
 * Output is collected in one buffer per turn and written with one SSL_write; only what the socket
 * does not take at once goes through the bufferevent, which costs a turn and two epoll_ctl. Input
 * comes through the bufferevent; what has gathered while nobody read is taken past it. */
#include "net/conn.h"

#include <assert.h>
#include <event2/buffer.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "frame.h"
#include "net/server_private.h"

#define OUT_POOL_SPARE_MAX 64

static const bool MOVES[CONN_STATE_COUNT][CONN_STATE_COUNT] = {
    [CONN_ACCEPTED] = {[CONN_HANDSHAKE] = true, [CONN_CLOSED] = true},
    [CONN_HANDSHAKE] = {[CONN_GREETING] = true, [CONN_CLOSING] = true, [CONN_CLOSED] = true},
    [CONN_GREETING] = {[CONN_OPEN] = true, [CONN_CLOSING] = true, [CONN_CLOSED] = true},
    [CONN_OPEN] = {[CONN_CLOSING] = true, [CONN_CLOSED] = true},
    [CONN_CLOSING] = {[CONN_CLOSED] = true},
};

/* The only place that changes a state. */
void conn_set_state(struct conn *conn, enum conn_state state)
{
    struct net_server *server = conn->server;
    assert(MOVES[conn->state][state]);
    TAILQ_REMOVE(&server->conns[conn->state], conn, in_state);
    TAILQ_INSERT_TAIL(&server->conns[state], conn, in_state);
    server->counts[conn->state]--;
    server->counts[state]++;
    conn->state = state;
    conn->active_us = clock_monotonic_us();
}

static void touch(struct conn *conn)
{
    struct conn_list *list = &conn->server->conns[conn->state];
    conn->active_us = clock_monotonic_us();
    TAILQ_REMOVE(list, conn, in_state);
    TAILQ_INSERT_TAIL(list, conn, in_state);
}

void conn_want_turn(struct conn *conn)
{
    struct net_server *server = conn->server;
    if (conn->is_in_turn)
        return;
    conn->is_in_turn = true;
    if (TAILQ_EMPTY(&server->turn))
        event_active(server->turn_end, 0, 0);
    TAILQ_INSERT_TAIL(&server->turn, conn, in_turn);
}

size_t conn_unsent(const struct conn *conn)
{
    return evbuffer_get_length(bufferevent_get_output(conn->bev));
}

static bool takes_frames(const struct conn *conn)
{
    return (conn->state == CONN_GREETING || conn->state == CONN_OPEN) && !conn->is_paused &&
           conn->in_flight < conn->server->options.in_flight_max &&
           conn_unsent(conn) <= CONN_UNSENT_BYTES_MAX;
}

/* ---- frames ---- */

/* Gives one frame to the owner. False when none is whole. */
static bool take_frame(struct conn *conn, struct evbuffer *input)
{
    const struct conn_handler *handler = conn->server->options.handler;
    size_t size = evbuffer_get_length(input);
    if (size < FRAME_HEADER_BYTES)
        return false;
    uint32_t length;
    size_t contiguous = evbuffer_get_contiguous_space(input);
    const uint8_t *bytes = evbuffer_pullup(input, FRAME_HEADER_BYTES);
    if (!bytes) {
        conn_abort(conn);
        return false;
    }
    switch (frame_peek(bytes, size, FRAME_REQUEST_BYTES_MAX, &length)) {
    case FRAME_NEED_MORE: return false;
    case FRAME_EMPTY: handler->garbled(conn->owner, false); return false;
    case FRAME_TOO_LONG: handler->garbled(conn->owner, true); return false;
    case FRAME_READY: break;
    }
    if (contiguous < FRAME_HEADER_BYTES + (size_t)length)
        bytes = evbuffer_pullup(input, (ev_ssize_t)(FRAME_HEADER_BYTES + length));
    if (!bytes) {
        conn_abort(conn);
        return false;
    }
    handler->frame(conn->owner, bytes + FRAME_HEADER_BYTES, length);
    evbuffer_drain(input, FRAME_HEADER_BYTES + (size_t)length);
    return true;
}

static void take_frames(struct conn *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    bool took_any = false;
    while (takes_frames(conn) && take_frame(conn, input))
        took_any = true;
    if (conn->state == CONN_OPEN && took_any)
        touch(conn);
    stall_watch_frame(conn, took_any, takes_frames(conn) && evbuffer_get_length(input) > 0);
    if (conn->state == CONN_CLOSING) /* only the end still matters */
        evbuffer_drain(input, evbuffer_get_length(input));
    else if (conn->state != CONN_CLOSED && (conn->is_resting || !takes_frames(conn)))
        bufferevent_disable(conn->bev, EV_READ);
}

/* ---- output ---- */

static uint8_t *out_take(struct out_pool *pool)
{
    if (!pool->free)
        return malloc(OUT_BYTES);
    void *buffer = pool->free;
    pool->free = *(void **)buffer;
    pool->free_count--;
    return buffer;
}

static void out_give(struct conn *conn)
{
    struct out_pool *pool = &conn->server->out_pool;
    if (conn->out && conn->out_size == OUT_BYTES && pool->free_count < OUT_POOL_SPARE_MAX) {
        *(void **)(void *)conn->out = pool->free;
        pool->free = conn->out;
        pool->free_count++;
    } else {
        free(conn->out);
    }
    conn->out = NULL;
    conn->out_used = 0;
    conn->out_size = 0;
}

/* Writes past the bufferevent, which holds nothing. Returns how many bytes were taken. */
static size_t write_directly(struct conn *conn)
{
    size_t sent = 0;
    while (sent < conn->out_used) {
        size_t written = 0;
        ERR_clear_error();
        if (SSL_write_ex(conn->ssl, conn->out + sent, conn->out_used - sent, &written) != 1) {
            int cause = SSL_get_error(conn->ssl, 0);
            if (cause != SSL_ERROR_WANT_WRITE && cause != SSL_ERROR_WANT_READ)
                conn_abort(conn);
            break;
        }
        sent += written;
    }
    return sent;
}

static void flush(struct conn *conn)
{
    if (conn->out_used > 0 && conn->state != CONN_CLOSED) {
        size_t sent = conn_unsent(conn) == 0 ? write_directly(conn) : 0;
        if (conn->state != CONN_CLOSED && sent < conn->out_used) {
            if (bufferevent_write(conn->bev, conn->out + sent, conn->out_used - sent) == 0)
                stall_watch_answers(conn, conn->out_used - sent);
            else
                conn_abort(conn);
        }
    }
    out_give(conn);
}

uint8_t *conn_reserve(struct conn *conn, size_t size)
{
    if (conn->state < CONN_GREETING || conn->state == CONN_CLOSED || conn->is_shut)
        return NULL;
    if (conn->out && conn->out_size - conn->out_used < size)
        flush(conn);
    if (conn->state == CONN_CLOSED)
        return NULL;
    if (!conn->out) {
        conn->out_size = size > OUT_BYTES ? size : OUT_BYTES;
        conn->out = size > OUT_BYTES ? malloc(size) : out_take(&conn->server->out_pool);
    }
    return conn->out ? conn->out + conn->out_used : NULL;
}

void conn_commit(struct conn *conn, size_t size)
{
    assert(size <= conn->out_size - conn->out_used);
    conn->out_used += size;
    conn_want_turn(conn);
}

void conn_on_written(struct bufferevent *bev, void *ctx)
{
    (void)bev;
    conn_want_turn(ctx);
}

/* ---- input past libevent ---- */

/* Takes one record. False: none is here as a whole, or the connection ends. */
static bool pull_record(struct conn *conn)
{
    uint8_t bytes[SSL3_RT_MAX_PLAIN_LENGTH];
    size_t size = 0;
    ERR_clear_error();
    if (SSL_read_ex(conn->ssl, bytes, sizeof bytes, &size) == 1) {
        if (evbuffer_add(bufferevent_get_input(conn->bev), bytes, size) == 0)
            return true;
        conn_abort(conn);
        return false;
    }
    if (SSL_get_error(conn->ssl, 0) != SSL_ERROR_WANT_READ) {
        flush(conn); /* what he asked before he left is answered */
        conn_abort(conn);
    }
    return false;
}

/* Takes what one read brings, many records, where libevent takes one a turn with two. Whatever of
 * them OpenSSL still holds libevent would not see: it reads again only once this has returned true,
 * nothing whole is left. Not while libevent writes, which may wait for what would be taken here:
 * conn_on_written goes on. */
static bool pull(struct conn *conn)
{
    bool is_dry = false;
    while (!is_dry && takes_frames(conn) && conn_unsent(conn) == 0) {
        SSL_set_read_ahead(conn->ssl, !SSL_has_pending(conn->ssl));
        is_dry = !pull_record(conn) || !SSL_has_pending(conn->ssl);
        take_frames(conn);
    }
    SSL_set_read_ahead(conn->ssl, 0);
    return is_dry;
}

void conn_on_readable(struct bufferevent *bev, void *ctx)
{
    struct conn *conn = ctx;
    (void)bev;
    take_frames(conn);
    if (conn->is_resting)
        pull(conn);
}

/* ---- pace ---- */

void conn_request_begins(struct conn *conn)
{
    conn->in_flight++;
}

void conn_request_ends(struct conn *conn)
{
    assert(conn->in_flight > 0);
    conn->in_flight--;
    conn_want_turn(conn);
}

void conn_pause(struct conn *conn)
{
    conn->is_paused = true;
}

void conn_rest(struct conn *conn)
{
    conn->is_resting = true;
}

void conn_wake(struct conn *conn)
{
    conn->is_resting = false;
    conn_want_turn(conn);
}

void conn_resume(struct conn *conn)
{
    conn->is_paused = false;
    conn_want_turn(conn);
}

/* ---- life ---- */

void conn_welcome(struct conn *conn)
{
    if (conn->state == CONN_GREETING)
        conn_set_state(conn, CONN_OPEN);
}

void conn_close(struct conn *conn)
{
    if (conn->state < CONN_GREETING)
        conn_abort(conn);
    if (conn->state != CONN_GREETING && conn->state != CONN_OPEN)
        return;
    conn_set_state(conn, CONN_CLOSING);
    bufferevent_enable(conn->bev, EV_READ);
    conn_want_turn(conn);
}

void conn_abort(struct conn *conn)
{
    if (conn->state == CONN_CLOSED)
        return;
    conn_set_state(conn, CONN_CLOSED);
    if (conn->bev)
        bufferevent_disable(conn->bev, EV_READ | EV_WRITE);
    else
        event_del(conn->first);
    stall_forget(conn);
    handshake_forget(conn);
    conn->server->count--;
    stats_add(&conn->server->stats->connections, -1);
    conn_want_turn(conn);
}

/* Says the end and waits for the peer's: closing with unread bytes would destroy the last answer on
 * its way. */
static void shut(struct conn *conn)
{
    conn->is_shut = true;
    ERR_clear_error();
    SSL_shutdown(conn->ssl);
    ERR_clear_error();
    shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
    conn->active_us = clock_monotonic_us();
    touch(conn);
}

void conn_turn(struct conn *conn)
{
    flush(conn);
    if (conn->state == CONN_CLOSED)
        return;
    if (conn->state == CONN_CLOSING) {
        if (!conn->is_shut && conn->in_flight == 0 && conn_unsent(conn) == 0)
            shut(conn);
        return;
    }
    if (evbuffer_get_length(bufferevent_get_input(conn->bev)) > 0)
        take_frames(conn);
    if (!takes_frames(conn) || conn->is_resting || (bufferevent_get_enabled(conn->bev) & EV_READ))
        return;
    if (pull(conn) && takes_frames(conn) && !conn->is_resting)
        bufferevent_enable(conn->bev, EV_READ);
}

void conn_expire(struct conn *conn)
{
    if (conn->in_flight > 0 && conn->state != CONN_CLOSED) {
        touch(conn); /* its requests have deadlines of their own */
        return;
    }
    if (conn->state < CONN_GREETING)
        handshake_timed_out(conn);
    if (conn->state == CONN_OPEN && conn_unsent(conn) == 0)
        conn_close(conn);
    else
        conn_abort(conn);
}

void conn_free(struct conn *conn)
{
    struct net_server *server = conn->server;
    assert(conn->state == CONN_CLOSED && !conn->is_in_turn);
    TAILQ_REMOVE(&server->conns[CONN_CLOSED], conn, in_state);
    server->counts[CONN_CLOSED]--;
    if (conn->owner)
        server->options.handler->closed(conn->owner);
    conn->owner = NULL;
    out_give(conn);
    if (conn->bev) {
        bufferevent_free(conn->bev);
    } else {
        close(event_get_fd(conn->first));
        event_free(conn->first);
    }
    TAILQ_INSERT_HEAD(&server->spare, conn, in_state);
}
