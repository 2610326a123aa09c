/* Serves the admin port by evhttp, in a process of its own. Called by main in the child that the
 * master forks for it. Never changes anything but its own signs of life. */
#include "admin/http.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "admin/health.h"
#include "base/log.h"
#include "base/reserve.h"

#define HEADER_BYTES_MAX 4096
#define TIMEOUT_S        5
#define BEAT_US          100000
#define BEATS_MEASURE    100 /* memory and files: every 10 s */
#define TYPE_METRICS     "text/plain; version=0.0.4; charset=utf-8"

struct admin {
    struct admin_source source;
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *accepting[LISTEN_SOCKETS_MAX];
    struct event *stop, *end, *beat;
    unsigned beats;
    bool is_short; /* of memory: it does not accept */
};

/* ---- pages ---- */

/* Takes the body; NULL: no memory. */
static void reply(struct evhttp_request *request, bool is_good, const char *type,
                  struct evbuffer *body)
{
    if (!body) {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
        return;
    }
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", type);
    if (!reserve_fill())
        evhttp_add_header(headers, "Connection", "close"); /* no further request of it */
    evhttp_send_reply(request, is_good ? HTTP_OK : HTTP_SERVUNAVAIL,
                      is_good ? "OK" : "Service Unavailable", body);
    evbuffer_free(body);
}

static void on_metrics(struct evhttp_request *request, void *ctx)
{
    const struct admin *admin = ctx;
    struct evbuffer *body = evbuffer_new();
    if (body)
        metrics_print(body, &admin->source);
    reply(request, true, TYPE_METRICS, body);
}

static void on_health(struct evhttp_request *request, void *ctx)
{
    const struct admin *admin = ctx;
    const char *fault = health_who_hangs(admin->source.page);
    struct evbuffer *body = evbuffer_new();
    if (body)
        evbuffer_add_printf(body, "%s\n", fault ? fault : "alive");
    reply(request, !fault, "text/plain; charset=utf-8", body);
}

static void on_ready(struct evhttp_request *request, void *ctx)
{
    const struct admin *admin = ctx;
    struct evbuffer *body = evbuffer_new();
    bool is_ready = body && health_print_ready(body, admin->source.page);
    reply(request, is_ready, "application/json", body);
}

/* ---- life ---- */

static void on_stop(evutil_socket_t number, short what, void *ctx)
{
    struct admin *admin = ctx;
    (void)number, (void)what;
    for (size_t i = 0; i < LISTEN_SOCKETS_MAX && admin->accepting[i]; i++) {
        evhttp_del_accept_socket(admin->http, admin->accepting[i]);
        admin->accepting[i] = NULL;
    }
}

static void on_end(evutil_socket_t number, short what, void *ctx)
{
    struct admin *admin = ctx;
    (void)number, (void)what;
    event_base_loopbreak(admin->base);
}

/* ---- want of memory: see base/reserve.h ---- */

static void set_short(struct admin *admin, bool is_short)
{
    admin->is_short = is_short;
    for (size_t i = 0; i < LISTEN_SOCKETS_MAX && admin->accepting[i]; i++) {
        struct evconnlistener *listener = evhttp_bound_socket_get_listener(admin->accepting[i]);
        if (is_short)
            evconnlistener_disable(listener);
        else if (evconnlistener_enable(listener) != 0)
            admin->is_short = true;
    }
}

/* Is asked for a connection's bufferevent, and leaves it to evhttp: what there is lets this one in,
 * and the next may have to wait. */
static struct bufferevent *on_connection(struct event_base *base, void *ctx)
{
    (void)base;
    if (!reserve_fill())
        set_short(ctx, true);
    return NULL;
}

static void on_beat(evutil_socket_t fd, short what, void *ctx)
{
    struct admin *admin = ctx;
    (void)fd, (void)what;
    stats_process(&admin->source.page->admin, admin->beats++ % BEATS_MEASURE == 0);
    log_catch_up();
    if (admin->is_short && reserve_fill())
        set_short(admin, false);
}

static bool add_events(struct admin *admin)
{
    static const struct timeval beat = {.tv_usec = BEAT_US};
    admin->stop = evsignal_new(admin->base, ADMIN_STOP, on_stop, admin);
    admin->end = evsignal_new(admin->base, ADMIN_END, on_end, admin);
    admin->beat = event_new(admin->base, -1, EV_PERSIST, on_beat, admin);
    return admin->stop && admin->end && admin->beat && event_add(admin->stop, NULL) == 0 &&
           event_add(admin->end, NULL) == 0 && event_add(admin->beat, &beat) == 0;
}

static bool accept_on(struct admin *admin, const struct listen_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        int fd = fcntl(sockets->fds[i], F_DUPFD_CLOEXEC, 0); /* evhttp closes its own */
        if (fd >= 0)
            admin->accepting[i] = evhttp_accept_socket_with_handle(admin->http, fd);
        if (!admin->accepting[i])
            return false;
    }
    return true;
}

static bool open_pages(struct admin *admin, const struct listen_sockets *sockets)
{
    admin->http = evhttp_new(admin->base);
    if (!admin->http)
        return false;
    evhttp_set_allowed_methods(admin->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(admin->http, HEADER_BYTES_MAX);
    evhttp_set_max_body_size(admin->http, 0);
    evhttp_set_timeout(admin->http, TIMEOUT_S);
    evhttp_set_bevcb(admin->http, on_connection, admin);
    return evhttp_set_cb(admin->http, "/metrics", on_metrics, admin) == 0 &&
           evhttp_set_cb(admin->http, "/healthz", on_health, admin) == 0 &&
           evhttp_set_cb(admin->http, "/readyz", on_ready, admin) == 0 && accept_on(admin, sockets);
}

static void close_all(struct admin *admin)
{
    struct event *events[] = {admin->stop, admin->end, admin->beat};
    if (admin->http)
        evhttp_free(admin->http);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (events[i])
            event_free(events[i]);
    }
    if (admin->base)
        event_base_free(admin->base);
}

int admin_run(const struct listen_sockets *sockets, const struct admin_source *source)
{
    struct admin admin = {.source = *source};
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    stats_process(&source->page->admin, true);
    admin.base = event_base_new();
    bool is_open = admin.base && add_events(&admin) && open_pages(&admin, sockets);
    if (is_open)
        event_base_dispatch(admin.base);
    else
        log_error("admin_port_failed", "reason=\"no memory or files: %s\"", strerror(errno));
    close_all(&admin);
    return is_open ? 0 : 1;
}
