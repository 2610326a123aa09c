/* Owns a connection from accept until its TLS is done, and the room that those may take which are
 * not done. Called by accept.c and, for the log, by server.c. No TLS before the client's first
 * record is here as a whole: who connects and says nothing, or half a greeting, costs a socket and
 * some 300 bytes. Never begins many handshakes in one turn of the loop: each is half a millisecond
 * that the tills at work would wait. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/reserve.h"
#include "net/server_private.h"
#include "net/tls.h"

#define A_TURN_MAX       8    /* handshakes begun in one turn */
#define RECORD_HEADER    5    /* of TLS: kind, version, length */
#define RECORD_HANDSHAKE 0x16 /* the kind */
#define PEEK_BYTES       2048 /* a longer first record is not waited for */
#define LOG_US           10000000
#define FAILURES_TOLD    20 /* within LOG_US; the others are counted */

/* ---- TLS ---- */

static void open_owner(struct conn *conn)
{
    struct net_server *server = conn->server;
    X509 *peer = SSL_get1_peer_certificate(conn->ssl);
    conn_set_state(conn, CONN_GREETING);
    if (peer && SSL_get_verify_result(conn->ssl) == X509_V_OK)
        conn->owner = server->options.handler->opened(server->options.ctx, conn, peer);
    X509_free(peer);
    tls_forget_peer(conn->ssl);
    if (!conn->owner)
        conn_abort(conn);
}

static enum stats_handshake class_of(const struct conn *conn, unsigned long code)
{
    switch (ERR_GET_REASON(code)) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return STATS_NO_CERTIFICATE;
    case SSL_R_CERTIFICATE_VERIFY_FAILED: break;
    default: return STATS_PROTOCOL;
    }
    long verdict = SSL_get_verify_result(conn->ssl);
    bool is_of_time =
        verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CERT_NOT_YET_VALID;
    return is_of_time ? STATS_EXPIRED : STATS_UNTRUSTED;
}

/* What the operator must know to tell a till with an old certificate from a stranger. */
static const char *reason_of(const struct conn *conn, unsigned long code)
{
    const char *reason = ERR_reason_error_string(code);
    if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        reason = X509_verify_cert_error_string(SSL_get_verify_result(conn->ssl));
    return reason ? reason : "unknown";
}

static void count_failed(struct conn *conn, enum stats_handshake class)
{
    stats_add(&conn->server->stats->handshakes_failed[class], 1);
}

/* The alert that says why is on its way, and the client may have sent its first request: closing
 * with that unread would destroy the alert. So the socket stays, unread, for the time of CLOSING.
 */
static void refuse(struct conn *conn, unsigned long code)
{
    struct handshakes *handshakes = &conn->server->handshakes;
    char reason[128];
    if (handshakes->failed++ < FAILURES_TOLD)
        log_info("handshake_failed", "reason=%s",
                 log_quote(reason, sizeof reason, reason_of(conn, code)));
    count_failed(conn, class_of(conn, code));
    conn_set_state(conn, CONN_CLOSING);
    conn->is_shut = conn->is_refused = true;
    TAILQ_INSERT_TAIL(&handshakes->refused, conn, in_refused);
    handshakes->refused_count++;
    bufferevent_disable(conn->bev, EV_READ | EV_WRITE);
    shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
}

void handshake_forget(struct conn *conn)
{
    if (!conn->is_refused)
        return;
    conn->is_refused = false;
    TAILQ_REMOVE(&conn->server->handshakes.refused, conn, in_refused);
    conn->server->handshakes.refused_count--;
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
    struct conn *conn = ctx;
    if (conn->state == CONN_CLOSED)
        return;
    if (what & BEV_EVENT_CONNECTED) {
        open_owner(conn);
        return;
    }
    unsigned long code = bufferevent_get_openssl_error(bev);
    if (conn->state == CONN_HANDSHAKE && !code)
        count_failed(conn, STATS_GONE);
    if (conn->state == CONN_HANDSHAKE && code)
        refuse(conn, code);
    else
        conn_abort(conn);
}

static void begin(struct conn *conn, int fd)
{
    struct net_server *server = conn->server;
    SSL *ssl = reserve_fill() ? SSL_new(server->options.tls) : NULL;
    struct bufferevent *bev =
        ssl ? bufferevent_openssl_socket_new(server->base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                             BEV_OPT_CLOSE_ON_FREE)
            : NULL;
    if (!bev) { /* libevent has freed the SSL, too */
        log_warning("connection_dropped", "reason=\"no memory\"");
        conn_abort(conn);
        return;
    }
    event_free(conn->first);
    conn->first = NULL;
    conn->bev = bev;
    conn->ssl = ssl;
    conn_set_state(conn, CONN_HANDSHAKE);
    bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
    bufferevent_setcb(bev, conn_on_readable, conn_on_written, on_event, conn);
    bool is_set = bufferevent_setfd(bev, fd) == 0 && SSL_get_wbio(ssl);
    if (!is_set || bufferevent_enable(bev, EV_READ | EV_WRITE) != 0)
        conn_abort(conn);
    if (!is_set) /* no memory for OpenSSL's end of it, which would have closed it */
        close(fd);
}

/* ---- the first record ---- */

/* Whether the handshake can begin: the record is whole, it is none of TLS (OpenSSL says so), or
 * nothing more will come. Else the socket is readable again when the record is whole. */
static bool is_due(struct conn *conn, int fd)
{
    uint8_t bytes[PEEK_BYTES];
    int wanted = RECORD_HEADER, one = 1;
    ssize_t size = recv(fd, bytes, sizeof bytes, MSG_PEEK);
    if (size >= RECORD_HEADER)
        wanted += bytes[3] << 8 | bytes[4];
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (size > 0 && bytes[0] == RECORD_HANDSHAKE && size < wanted && wanted <= PEEK_BYTES &&
        wanted > conn->awaited_bytes) {
        conn->awaited_bytes = wanted;
        return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &wanted, sizeof wanted) != 0;
    }
    if (conn->awaited_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
    return true;
}

static void on_first_bytes(evutil_socket_t fd, short what, void *ctx)
{
    struct conn *conn = ctx;
    struct net_server *server = conn->server;
    (void)what;
    if (conn->state != CONN_ACCEPTED || server->handshakes.in_turn >= A_TURN_MAX)
        return; /* readable it stays, until one of the next turns */
    if (!is_due(conn, fd))
        return;
    if (server->handshakes.in_turn++ == 0)
        event_active(server->turn_end, 0, 0);
    begin(conn, fd);
}

/* ---- room ---- */

/* On their way, or refused and not gone yet: none of them takes a till's place. */
static size_t pending_count(const struct net_server *server)
{
    return server->counts[CONN_ACCEPTED] + server->counts[CONN_HANDSHAKE] +
           server->handshakes.refused_count;
}

/* How many of them there may be at once. */
static size_t pending_max(const struct net_server *server)
{
    size_t done = server->count - pending_count(server);
    size_t limit = (size_t)server->options.connections_max;
    limit = limit > done ? limit - done : 0;
    return limit < HANDSHAKES_MAX ? limit : HANDSHAKES_MAX;
}

bool handshake_has_room(const struct net_server *server)
{
    return pending_max(server) > 0;
}

/* The oldest goes, of those refused first: a till needs one round trip, so that it is done before
 * it is the oldest. */
static void make_room(struct net_server *server)
{
    struct conn *refused = TAILQ_FIRST(&server->handshakes.refused);
    struct conn *silent = TAILQ_FIRST(&server->conns[CONN_ACCEPTED]);
    struct conn *begun = TAILQ_FIRST(&server->conns[CONN_HANDSHAKE]);
    struct conn *oldest =
        !begun || (silent && silent->active_us < begun->active_us) ? silent : begun;
    if (pending_count(server) < pending_max(server) || (!refused && !oldest))
        return;
    if (refused) { /* it is counted already */
        conn_abort(refused);
        return;
    }
    conn_abort(oldest);
    count_failed(oldest, STATS_DROPPED);
    server->handshakes.dropped++;
}

static struct conn *conn_take(struct net_server *server)
{
    struct conn *conn = TAILQ_FIRST(&server->spare);
    if (!conn)
        return calloc(1, sizeof *conn);
    TAILQ_REMOVE(&server->spare, conn, in_state);
    memset(conn, 0, sizeof *conn);
    return conn;
}

void conn_accept(struct net_server *server, int fd)
{
    struct conn *conn = conn_take(server);
    struct event *first =
        conn ? event_new(server->base, fd, EV_READ | EV_PERSIST, on_first_bytes, conn) : NULL;
    if (!first || event_add(first, NULL) != 0) {
        if (first)
            event_free(first);
        free(conn);
        close(fd);
        log_warning("connection_dropped", "reason=\"no memory\"");
        return;
    }
    make_room(server);
    conn->server = server;
    conn->first = first;
    conn->state = CONN_ACCEPTED;
    conn->active_us = clock_monotonic_us();
    TAILQ_INSERT_TAIL(&server->conns[CONN_ACCEPTED], conn, in_state);
    server->counts[CONN_ACCEPTED]++;
    server->count++;
    stats_add(&server->stats->connections, 1);
    stats_add(&server->stats->accepted, 1);
}

void handshake_timed_out(struct conn *conn)
{
    conn->server->handshakes.timed_out++;
    count_failed(conn, STATS_TIMEOUT);
}

void handshake_report(struct net_server *server, int64_t now_us)
{
    struct handshakes *handshakes = &server->handshakes;
    if (now_us - handshakes->reported_us < LOG_US)
        return;
    if (handshakes->timed_out + handshakes->dropped > 0 || handshakes->failed > FAILURES_TOLD)
        log_warning("handshakes_unfinished", "timed_out=%u dropped=%u failed=%u seconds=%d",
                    handshakes->timed_out, handshakes->dropped, handshakes->failed,
                    LOG_US / 1000000);
    handshakes->timed_out = handshakes->dropped = handshakes->failed = 0;
    handshakes->reported_us = now_us;
}
