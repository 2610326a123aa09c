/* Owns the watch over peers who keep a connection waiting: a frame begun and not ended, or answers
 * not read. Called by conn.c when either begins or ends, and by server.c's tick. A whole frame and
 * bytes that left count as progress, single bytes that arrive do not. Never looks at a frame. */
#include <event2/buffer.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/server_private.h"

static void list(struct conn *conn)
{
    bool is_due = conn->frame_since_us || conn->answers_since_us;
    if (is_due == conn->is_watched)
        return;
    conn->is_watched = is_due;
    if (is_due)
        TAILQ_INSERT_TAIL(&conn->server->watched, conn, in_watched);
    else
        TAILQ_REMOVE(&conn->server->watched, conn, in_watched);
}

void stall_watch_frame(struct conn *conn, bool took_any, bool is_begun)
{
    if (conn->state == CONN_CLOSED)
        return;
    if (took_any || !is_begun)
        conn->frame_since_us = 0;
    if (is_begun && !conn->frame_since_us)
        conn->frame_since_us = clock_monotonic_us();
    list(conn);
}

void stall_watch_answers(struct conn *conn, size_t added)
{
    conn->queued_bytes += added;
    if (conn->answers_since_us)
        return;
    conn->answers_since_us = clock_monotonic_us();
    list(conn);
}

void stall_forget(struct conn *conn)
{
    conn->frame_since_us = conn->answers_since_us = 0;
    list(conn);
}

void stall_forgive(struct net_server *server, int64_t us)
{
    for (struct conn *conn = TAILQ_FIRST(&server->watched); conn;
         conn = TAILQ_NEXT(conn, in_watched)) {
        conn->frame_since_us += conn->frame_since_us ? us : 0;
        conn->answers_since_us += conn->answers_since_us ? us : 0;
    }
}

/* What the peer has taken: the kernel's queue drains for long before ours moves. Only that it
 * differs means something. */
static uint64_t taken_bytes(const struct conn *conn)
{
    int held = 0;
    ioctl(bufferevent_getfd(conn->bev), SIOCOUTQ, &held);
    return conn->queued_bytes - conn_unsent(conn) - (uint64_t)held;
}

static void look(struct conn *conn, int64_t now_us)
{
    uint64_t taken = conn->answers_since_us ? taken_bytes(conn) : 0;
    if (conn_unsent(conn) == 0)
        conn->answers_since_us = 0;
    else if (taken != conn->taken_bytes)
        conn->answers_since_us = now_us;
    conn->taken_bytes = taken;
    list(conn);
}

static void cut(struct conn *conn, const char *reason)
{
    stats_add(&conn->server->stats->peers_cut, 1);
    log_info("peer_cut", "reason=\"%s\" in_flight=%d unsent_bytes=%zu begun_bytes=%zu", reason,
             conn->in_flight, conn_unsent(conn),
             evbuffer_get_length(bufferevent_get_input(conn->bev)));
}

/* Of answers not read, and of a frame not ended. */
static size_t held_bytes(const struct conn *conn)
{
    return conn_unsent(conn) + evbuffer_get_length(bufferevent_get_input(conn->bev));
}

static struct conn *largest(struct net_server *server)
{
    struct conn *found = TAILQ_FIRST(&server->watched);
    for (struct conn *conn = found; conn; conn = TAILQ_NEXT(conn, in_watched)) {
        if (held_bytes(conn) > held_bytes(found))
            found = conn;
    }
    return found;
}

void stall_tick(struct net_server *server, int64_t now_us)
{
    int64_t limit_us = now_us - server->options.stall_timeout_s * INT64_C(1000000);
    size_t held = 0;
    struct conn *conn, *next;
    for (conn = TAILQ_FIRST(&server->watched); conn; conn = next) {
        next = TAILQ_NEXT(conn, in_watched);
        look(conn, now_us);
        if (conn->answers_since_us && conn->answers_since_us <= limit_us) {
            cut(conn, "answers not read");
            conn_abort(conn);
        } else if (conn->frame_since_us && conn->frame_since_us <= limit_us) {
            cut(conn, "a frame not ended");
            stall_watch_frame(conn, false, false);
            conn_close(conn); /* what was begun is answered */
        } else {
            held += held_bytes(conn);
        }
    }
    while (held > SERVER_UNSENT_BYTES_MAX && (conn = largest(server))) {
        held -= held_bytes(conn);
        cut(conn, "too much held for clients");
        conn_abort(conn);
    }
}
