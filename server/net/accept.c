/* Accepts connections from the sockets that all workers share. One socket for all, because a dead
 * or busy worker then keeps nobody waiting: with a socket each (SO_REUSEPORT) the kernel would go
 * on hashing clients to it. So that few connections spread evenly, a worker that holds more than
 * the least loaded one, or has no database while others have, leaves a new one to them for two
 * milliseconds. Never reads a connection. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/timer.h"
#include "net/server_private.h"

#define BURST       8 /* accepted in one turn from one socket; no more than handshakes begin */
#define LEAVE_US    2000
#define MARGIN_MS   2000
#define START_US    2000000 /* in which a worker usually gets ready */
#define SHORTAGE_US 100000
#define LOG_EACH_US 60000000

static void listen_to(struct net_server *server, bool on)
{
    for (size_t i = 0; i < server->options.listen_count; i++) {
        if (on)
            event_add(server->listeners[i].readable, NULL);
        else
            event_del(server->listeners[i].readable);
    }
}

static void rest(struct net_server *server, int us)
{
    struct timeval delay = {.tv_usec = us};
    listen_to(server, false);
    timer_set(server->accept_again, &delay);
}

/* Without files or memory a level-triggered socket would spin: rest for a while. */
static void run_short(struct net_server *server, int code)
{
    int64_t now_us = clock_monotonic_us();
    stats_add(&server->stats->accept_shortages, 1);
    if (!server->shortage_us || now_us - server->shortage_us > LOG_EACH_US) {
        server->shortage_us = now_us;
        log_error("accept_failed", "error=\"%s\" connections=%zu remedy=\"%s\"", strerror(code),
                  server->count,
                  code == EMFILE   ? "raise LimitNOFILE or lower connections_max"
                  : code == ENFILE ? "raise fs.file-max or find who holds the files"
                                   : "give the kernel memory, see net.ipv4.tcp_mem");
    }
    rest(server, SHORTAGE_US);
}

/* Whether another worker should rather have a new connection: it can serve and this one cannot, or
 * it has fewer, by more than a sixteenth, and did not leave it, too. A worker that starts leaves
 * them for a moment, and all as long as the predecessor serves: better to wait than to be told
 * NOT_READY. Once the successor serves nobody is let in, to be sent away a moment later. */
static bool is_left_to_others(const struct net_server *server)
{
    const struct shared_page *page = server->options.page;
    bool is_ready = stats_read(&server->stats->ready);
    bool is_starting = clock_monotonic_us() - server->started_us < START_US;
    if (stats_read(&page->is_waiting) || stats_read(&page->is_handed_over) ||
        (!is_ready && is_starting))
        return true;
    for (int slot = 0; slot < page->slot_count; slot++) {
        const struct worker_stats *stats = &page->slots[slot].stats;
        uint64_t connections = stats_read(&stats->connections);
        if (stats_read(&stats->pid) && stats_read(&stats->ready) &&
            (!is_ready || (!server->must_accept && connections + connections / 16 < server->count)))
            return true;
    }
    return false;
}

/* False when nobody waits, or nobody can be let in. */
static bool accept_one(struct net_server *server, int fd)
{
    if (!handshake_has_room(server)) {
        server->is_full = true;
        listen_to(server, false);
        return false;
    }
    int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0)
        conn_accept(server, accepted);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        run_short(server, errno);
    return accepted >= 0;
}

static void on_acceptable(evutil_socket_t fd, short what, void *ctx)
{
    struct listener *listener = ctx;
    struct net_server *server = listener->server;
    (void)what;
    for (int i = 0; i < BURST; i++) {
        if (is_left_to_others(server)) {
            server->must_accept = true;
            rest(server, LEAVE_US);
            return;
        }
        if (!accept_one(server, fd))
            break;
    }
    server->must_accept = false;
}

static void on_again(evutil_socket_t fd, short what, void *ctx)
{
    struct net_server *server = ctx;
    (void)fd, (void)what;
    if (!server->is_stopped && !server->is_full)
        listen_to(server, true);
}

/* A peer that vanished without a word is asked after stall_timeout_s, and given up when it does not
 * answer; one that acknowledges nothing is given up after stall_timeout_s and a little, so that one
 * which does acknowledge and does not read is seen and told by stall.c. */
void accept_set_terms(const struct net_server *server)
{
    const int on = 1, stall_s = server->options.stall_timeout_s;
    const int each_s = stall_s < 5 ? 1 : stall_s / 5, unread_ms = stall_s * 1000 + MARGIN_MS;
    for (size_t i = 0; i < server->options.listen_count; i++) {
        int fd = server->options.listen_fds[i];
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &stall_s, sizeof stall_s);
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &each_s, sizeof each_s);
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unread_ms, sizeof unread_ms);
    }
}

bool accept_start(struct net_server *server, struct err *err)
{
    const struct net_options *options = &server->options;
    server->accept_again = evtimer_new(server->base, on_again, server);
    server->listeners = calloc(options->listen_count, sizeof *server->listeners);
    if (!server->accept_again || !server->listeners)
        return err_set(err, "no memory");
    accept_set_terms(server);
    for (size_t i = 0; i < options->listen_count; i++) {
        struct listener *listener = &server->listeners[i];
        listener->server = server;
        listener->readable = event_new(server->base, options->listen_fds[i], EV_READ | EV_PERSIST,
                                       on_acceptable, listener);
        if (!listener->readable || event_add(listener->readable, NULL) != 0)
            return err_set(err, "no memory");
    }
    return true;
}

void accept_stop(struct net_server *server)
{
    server->is_stopped = true;
    for (size_t i = 0; server->listeners && i < server->options.listen_count; i++) {
        if (server->listeners[i].readable)
            event_free(server->listeners[i].readable);
        server->listeners[i].readable = NULL;
    }
    free(server->listeners);
    server->listeners = NULL;
    if (server->accept_again)
        event_free(server->accept_again);
    server->accept_again = NULL;
}

void accept_reconsider(struct net_server *server)
{
    if (!server->is_full || !handshake_has_room(server))
        return;
    server->is_full = false;
    if (!server->is_stopped)
        listen_to(server, true);
}
