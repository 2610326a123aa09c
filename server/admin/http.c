/* Serves the admin port by evhttp. Called by the master. Never changes anything. */
#include "admin/http.h"

#include <errno.h>
#include <fcntl.h>
#include <event2/http.h>
#include <stdlib.h>

#include "admin/health.h"

#define HEADER_BYTES_MAX 4096
#define TIMEOUT_S        5
#define TYPE_METRICS     "text/plain; version=0.0.4; charset=utf-8"

struct admin_http {
    struct evhttp *http;
    struct evhttp_bound_socket *accepting[LISTEN_SOCKETS_MAX];
    struct admin_source source;
};

/* Takes the body; NULL: no memory. */
static void reply(struct evhttp_request *request, bool is_good, const char *type,
                  struct evbuffer *body)
{
    if (!body) {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
        return;
    }
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
    evhttp_send_reply(request, is_good ? HTTP_OK : HTTP_SERVUNAVAIL,
                      is_good ? "OK" : "Service Unavailable", body);
    evbuffer_free(body);
}

static void on_metrics(struct evhttp_request *request, void *ctx)
{
    const struct admin_http *http = ctx;
    struct evbuffer *body = evbuffer_new();
    if (body)
        metrics_print(body, &http->source);
    reply(request, true, TYPE_METRICS, body);
}

static void on_health(struct evhttp_request *request, void *ctx)
{
    const struct admin_http *http = ctx;
    bool is_alive = health_is_alive(http->source.page);
    struct evbuffer *body = evbuffer_new();
    if (body)
        evbuffer_add_printf(body, "%s\n", is_alive ? "alive" : "no worker turns its loop");
    reply(request, is_alive, "text/plain; charset=utf-8", body);
}

static void on_ready(struct evhttp_request *request, void *ctx)
{
    const struct admin_http *http = ctx;
    struct evbuffer *body = evbuffer_new();
    bool is_ready = body && health_print_ready(body, http->source.page);
    reply(request, is_ready, "application/json", body);
}

static bool serve(struct admin_http *http, const struct listen_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        int fd = fcntl(sockets->fds[i], F_DUPFD_CLOEXEC, 0); /* evhttp closes its own */
        if (fd >= 0)
            http->accepting[i] = evhttp_accept_socket_with_handle(http->http, fd);
        if (!http->accepting[i])
            return false;
    }
    return true;
}

void admin_http_stop(struct admin_http *http)
{
    for (size_t i = 0; i < LISTEN_SOCKETS_MAX && http->accepting[i]; i++) {
        evhttp_del_accept_socket(http->http, http->accepting[i]);
        http->accepting[i] = NULL;
    }
}

struct admin_http *admin_http_create(struct event_base *base, const struct listen_sockets *sockets,
                                     const struct admin_source *source, struct err *err)
{
    struct admin_http *http = calloc(1, sizeof *http);
    if (http)
        http->http = evhttp_new(base);
    if (!http || !http->http) {
        free(http);
        err_set(err, "no memory");
        return NULL;
    }
    http->source = *source;
    evhttp_set_allowed_methods(http->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(http->http, HEADER_BYTES_MAX);
    evhttp_set_max_body_size(http->http, 0);
    evhttp_set_timeout(http->http, TIMEOUT_S);
    if (evhttp_set_cb(http->http, "/metrics", on_metrics, http) != 0 ||
        evhttp_set_cb(http->http, "/healthz", on_health, http) != 0 ||
        evhttp_set_cb(http->http, "/readyz", on_ready, http) != 0 || !serve(http, sockets))
        err_set_errno(err, errno, "the admin port cannot be served");
    else
        return http;
    admin_http_destroy(&http);
    return NULL;
}

void admin_http_destroy(struct admin_http **http)
{
    if (!*http)
        return;
    evhttp_free((*http)->http);
    free(*http);
    *http = NULL;
}
