/* Serves the admin port by evhttp. Called by the master. Never changes anything. */
#include "admin/http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/config.h"

#define HEADER_BYTES_MAX 4096
#define TIMEOUT_S        5

struct admin_http {
    struct evhttp *http;
    const struct shared_page *page;
};

/* A number of worker_stats and how Prometheus names it. */
struct metric {
    const char *name;
    const char *type;
    const char *help;
    size_t offset;
};

#define METRIC(field, name, type, help)                        \
    {                                                          \
        name, type, help, offsetof(struct worker_stats, field) \
    }

static const struct metric METRICS[] = {
    METRIC(ready, "loyald_worker_ready", "gauge", "1 while the worker can use its database"),
    METRIC(connections, "loyald_connections", "gauge", "Connections open now"),
    METRIC(requests, "loyald_requests_total", "counter", "Requests received"),
    METRIC(batches, "loyald_batches_total", "counter", "Transactions that carried postings"),
    METRIC(postings, "loyald_postings_total", "counter", "Postings in those transactions"),
    METRIC(refused, "loyald_refused_total", "counter", "Answers of kind REFUSED"),
    METRIC(retried, "loyald_retry_total", "counter", "Answers of kind RETRY"),
    METRIC(unknown, "loyald_unknown_total", "counter", "Answers of kind UNKNOWN"),
};

static void reply(struct evhttp_request *request, int code, struct evbuffer *body)
{
    evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                      "text/plain; version=0.0.4; charset=utf-8");
    evhttp_send_reply(request, code, code == HTTP_OK ? "OK" : "Service Unavailable", body);
}

static void reply_text(struct evhttp_request *request, int code, const char *text)
{
    struct evbuffer *body = evbuffer_new();
    if (body)
        evbuffer_add_printf(body, "%s\n", text);
    reply(request, code, body);
    if (body)
        evbuffer_free(body);
}

static void on_metrics(struct evhttp_request *request, void *ctx)
{
    const struct admin_http *http = ctx;
    const struct shared_page *page = http->page;
    struct evbuffer *body = evbuffer_new();
    if (!body) {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
        return;
    }
    for (size_t i = 0; i < sizeof METRICS / sizeof METRICS[0]; i++) {
        const struct metric *metric = &METRICS[i];
        evbuffer_add_printf(body, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
                            metric->name, metric->type);
        for (int slot = 0; slot < page->slot_count; slot++) {
            struct worker_stats stats = shared_page_read(page, slot);
            uint64_t value =
                *(const uint64_t *)(const void *)((const char *)&stats + metric->offset);
            evbuffer_add_printf(body, "%s{worker=\"%d\"} %" PRIu64 "\n", metric->name, slot, value);
        }
    }
    evbuffer_add_printf(body,
                        "# HELP loyald_uptime_seconds Since the master started\n"
                        "# TYPE loyald_uptime_seconds gauge\nloyald_uptime_seconds %" PRId64 "\n",
                        (clock_monotonic_us() - page->started_us) / 1000000);
    evbuffer_add_printf(body,
                        "# HELP loyald_log_dropped_total Log lines that could not be written\n"
                        "# TYPE loyald_log_dropped_total counter\n"
                        "loyald_log_dropped_total %" PRIu64 "\n",
                        stats_read(&page->log_dropped));
    reply(request, HTTP_OK, body);
    evbuffer_free(body);
}

static void on_health(struct evhttp_request *request, void *ctx)
{
    (void)ctx;
    reply_text(request, HTTP_OK, "alive");
}

static void on_ready(struct evhttp_request *request, void *ctx)
{
    const struct admin_http *http = ctx;
    if (shared_page_is_ready(http->page))
        reply_text(request, HTTP_OK, "ready");
    else
        reply_text(request, HTTP_SERVUNAVAIL, "no worker can use its database; see the log");
}

static bool bind_address(struct admin_http *http, const char *address, struct err *err)
{
    char host[256], port[6];
    if (!config_split_address(address, host, port))
        return err_set(err, "admin_listen: %s is no host:port", address);
    errno = 0;
    if (!evhttp_bind_socket_with_handle(http->http, host, (ev_uint16_t)atoi(port)))
        return err_set_errno(err, errno,
                             "admin_listen: %s cannot be bound: stop the program that has the "
                             "port or change the option",
                             address);
    return true;
}

struct admin_http *admin_http_create(struct event_base *base, const char *address,
                                     const struct shared_page *page, struct err *err)
{
    struct admin_http *http = calloc(1, sizeof *http);
    if (http)
        http->http = evhttp_new(base);
    if (!http || !http->http) {
        free(http);
        err_set(err, "no memory");
        return NULL;
    }
    http->page = page;
    evhttp_set_allowed_methods(http->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(http->http, HEADER_BYTES_MAX);
    evhttp_set_max_body_size(http->http, 0);
    evhttp_set_timeout(http->http, TIMEOUT_S);
    if (evhttp_set_cb(http->http, "/metrics", on_metrics, http) != 0 ||
        evhttp_set_cb(http->http, "/healthz", on_health, http) != 0 ||
        evhttp_set_cb(http->http, "/readyz", on_ready, http) != 0)
        err_set(err, "no memory");
    else if (bind_address(http, address, err))
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
