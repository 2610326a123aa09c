/* Owns the lists of connections of one worker, the end of each turn of the loop and the time
 * limits. Called by the worker. Never looks into a frame. */
#include "net/server.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/server_private.h"

#define TICK_US            250000
#define CLOSING_TIMEOUT_US 2000000
#define STANDSTILL_US      1000000 /* between two ticks */
#define CROWD_MIN          500     /* some 10 MB */
#define FILES_KEPT         128     /* of a worker: listeners, lanes, desks, certificates */

static int64_t timeout_us_of(const struct net_server *server, enum conn_state state)
{
    switch (state) {
    case CONN_ACCEPTED:
    case CONN_HANDSHAKE:
    case CONN_GREETING: return server->options.handshake_timeout_s * INT64_C(1000000);
    case CONN_OPEN: return server->options.idle_timeout_s * INT64_C(1000000);
    default: return CLOSING_TIMEOUT_US;
    }
}

/* What the peers have sent while the process was stopped is still unread: no limit ran meanwhile.
 */
static void forgive_standstill(struct net_server *server, int64_t now_us)
{
    int64_t stood_us = now_us - server->tick_us - TICK_US;
    struct conn *conn;
    server->tick_us = now_us;
    if (stood_us < STANDSTILL_US)
        return;
    stall_forgive(server, stood_us);
    for (enum conn_state state = CONN_ACCEPTED; state < CONN_CLOSED; state++) {
        TAILQ_FOREACH (conn, &server->conns[state], in_state)
            conn->active_us += stood_us;
    }
    log_warning("stood_still", "ms=%lld connections=%zu", (long long)stood_us / 1000,
                server->count);
}

/* The memory of a crowd that has gone lies between blocks that stay: unasked it never goes back.
 * Not while they still go, because some are freed only at the end of this turn. */
static void give_memory_back(struct net_server *server)
{
    bool is_settled = server->count >= server->count_before;
    server->count_before = server->count;
    if (server->count > server->crowd)
        server->crowd = server->count;
    if (!is_settled || server->crowd < CROWD_MIN || server->count > server->crowd / 2)
        return;
    server->crowd = server->count;
    malloc_trim(0);
}

/* The lists are in order of activity, so only the connections whose time is over are looked at. */
static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct net_server *server = ctx;
    (void)fd, (void)what;
    int64_t now_us = clock_monotonic_us();
    forgive_standstill(server, now_us);
    for (enum conn_state state = CONN_ACCEPTED; state < CONN_CLOSED; state++) {
        int64_t limit_us = now_us - timeout_us_of(server, state);
        struct conn *conn;
        while ((conn = TAILQ_FIRST(&server->conns[state])) && conn->active_us <= limit_us)
            conn_expire(conn);
    }
    stall_tick(server, now_us);
    handshake_report(server, now_us);
    give_memory_back(server);
}

static void free_closed(struct net_server *server)
{
    struct conn *conn;
    while ((conn = TAILQ_FIRST(&server->conns[CONN_CLOSED])))
        conn_free(conn);
    accept_reconsider(server);
}

/* Runs after the callbacks of this turn's events: their answers leave together, and nothing that is
 * on the stack of a callback is freed under it. */
static void on_turn_end(evutil_socket_t fd, short what, void *ctx)
{
    struct net_server *server = ctx;
    (void)fd, (void)what;
    struct conn_list turn = TAILQ_HEAD_INITIALIZER(turn);
    server->handshakes.in_turn = 0;
    TAILQ_CONCAT(&turn, &server->turn, in_turn);
    struct conn *conn;
    while ((conn = TAILQ_FIRST(&turn))) {
        TAILQ_REMOVE(&turn, conn, in_turn);
        conn->is_in_turn = false;
        conn_turn(conn);
    }
    if (TAILQ_EMPTY(&server->turn))
        free_closed(server);
}

/* Clients never take the last files: the connections to PostgreSQL must be made again, and
 * certificates read. */
static void keep_files(struct net_options *options)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY ||
        files.rlim_cur >= (rlim_t)options->connections_max + FILES_KEPT)
        return;
    int limit = files.rlim_cur > FILES_KEPT ? (int)(files.rlim_cur - FILES_KEPT) : 1;
    log_warning("files_limit",
                "files=%lu connections_max=%d instead_of=%d remedy=\"raise LimitNOFILE\"",
                (unsigned long)files.rlim_cur, limit, options->connections_max);
    options->connections_max = limit;
}

struct net_server *net_server_create(struct event_base *base, const struct net_options *options,
                                     struct err *err)
{
    static const struct timeval tick = {.tv_usec = TICK_US};
    struct net_server *server = calloc(1, sizeof *server);
    if (!server) {
        SSL_CTX_free(options->tls);
        err_set(err, "no memory");
        return NULL;
    }
    server->base = base;
    server->options = *options;
    server->tick_us = server->started_us = clock_monotonic_us();
    keep_files(&server->options);
    server->stats = &options->page->slots[options->slot].stats;
    for (int state = 0; state < CONN_STATE_COUNT; state++)
        TAILQ_INIT(&server->conns[state]);
    TAILQ_INIT(&server->turn);
    TAILQ_INIT(&server->watched);
    TAILQ_INIT(&server->handshakes.refused);
    TAILQ_INIT(&server->spare);
    server->turn_end = event_new(base, -1, 0, on_turn_end, server);
    server->tick = event_new(base, -1, EV_PERSIST, on_tick, server);
    if (!server->turn_end || !server->tick || event_add(server->tick, &tick) != 0)
        err_set(err, "no memory");
    else if (accept_start(server, err))
        return server;
    net_server_destroy(&server);
    return NULL;
}

void net_server_destroy(struct net_server **at)
{
    struct net_server *server = *at;
    if (!server)
        return;
    accept_stop(server);
    for (enum conn_state state = CONN_ACCEPTED; state < CONN_CLOSED; state++) {
        struct conn *conn;
        while ((conn = TAILQ_FIRST(&server->conns[state])))
            conn_abort(conn);
    }
    on_turn_end(-1, 0, server);
    assert(server->count == 0);
    struct conn *conn;
    while ((conn = TAILQ_FIRST(&server->spare))) {
        TAILQ_REMOVE(&server->spare, conn, in_state);
        free(conn);
    }
    while (server->out_pool.free) {
        void *next = *(void **)server->out_pool.free;
        free(server->out_pool.free);
        server->out_pool.free = next;
    }
    if (server->turn_end)
        event_free(server->turn_end);
    if (server->tick)
        event_free(server->tick);
    SSL_CTX_free(server->options.tls);
    free(server);
    *at = NULL;
}

void net_server_set_tls(struct net_server *server, SSL_CTX *tls)
{
    SSL_CTX_free(server->options.tls);
    server->options.tls = tls;
}

void net_server_set_limits(struct net_server *server, const struct net_options *limits)
{
    struct net_options *options = &server->options;
    struct conn *conn;
    options->connections_max = limits->connections_max;
    options->in_flight_max = limits->in_flight_max;
    options->handshake_timeout_s = limits->handshake_timeout_s;
    options->idle_timeout_s = limits->idle_timeout_s;
    options->stall_timeout_s = limits->stall_timeout_s;
    keep_files(options);
    accept_set_terms(server);
    TAILQ_FOREACH (conn, &server->conns[CONN_OPEN], in_state)
        conn_want_turn(conn); /* it may take more at once than before */
    accept_reconsider(server);
}

void net_server_stop(struct net_server *server, bool gently)
{
    struct conn *conn;
    accept_stop(server);
    while (!gently && ((conn = TAILQ_FIRST(&server->conns[CONN_ACCEPTED])) ||
                       (conn = TAILQ_FIRST(&server->conns[CONN_HANDSHAKE]))))
        conn_abort(conn);
}

void net_server_publish(const struct net_server *server)
{
    const size_t *counts = server->counts + CONN_HANDSHAKE; /* those before it are added to it */
    _Static_assert(CONN_CLOSED - CONN_HANDSHAKE == (int)STATS_CONNS, "each state is counted");
    for (int state = STATS_HANDSHAKE; state < STATS_CONNS; state++)
        stats_set(&server->stats->conns[state],
                  counts[state] + (state == STATS_HANDSHAKE ? server->counts[CONN_ACCEPTED] : 0));
}

size_t net_server_connections(const struct net_server *server)
{
    return server->count;
}
