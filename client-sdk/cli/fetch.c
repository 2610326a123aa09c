/* Asks daemons' admin ports by libevent's HTTP client. Called by `loyalctl status` and `doctor`;
 * between two rounds nothing stays open. An interrupt ends whatever waits here. */
#include "fetch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

enum { TIMEOUT_S = 2, PORT_DEFAULT = 7401, FETCHES_MAX = 64 };

struct fetcher {
    struct event_base *base;
    struct event *interrupt, *terminate;
    bool is_interrupted;
};

/* One request under way. */
struct asking {
    struct fetch *fetch;
    struct event_base *base;
    struct evhttp_connection *connection;
    size_t *open_count;
};

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
    struct fetcher *fetcher = ctx;

    (void)number, (void)what;
    fetcher->is_interrupted = true;
    event_base_loopbreak(fetcher->base);
}

struct fetcher *fetcher_create(void)
{
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);

    if (!fetcher)
        return NULL;
    fetcher->base = event_base_new();
    if (fetcher->base) {
        fetcher->interrupt = evsignal_new(fetcher->base, SIGINT, on_signal, fetcher);
        fetcher->terminate = evsignal_new(fetcher->base, SIGTERM, on_signal, fetcher);
    }
    if (!fetcher->interrupt || !fetcher->terminate || event_add(fetcher->interrupt, NULL) != 0 ||
        event_add(fetcher->terminate, NULL) != 0)
        fetcher_destroy(&fetcher);
    return fetcher;
}

void fetcher_destroy(struct fetcher **fetcher)
{
    if (!*fetcher)
        return;
    if ((*fetcher)->interrupt)
        event_free((*fetcher)->interrupt);
    if ((*fetcher)->terminate)
        event_free((*fetcher)->terminate);
    if ((*fetcher)->base)
        event_base_free((*fetcher)->base);
    free(*fetcher);
    *fetcher = NULL;
}

static struct evhttp_uri *parse(const char *url)
{
    struct evhttp_uri *uri = evhttp_uri_parse(url);
    const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
    const char *host = uri ? evhttp_uri_get_host(uri) : NULL;
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;

    if (scheme && strcmp(scheme, "http") == 0 && host && host[0] != '\0' &&
        (!path || path[strspn(path, "/")] == '\0'))
        return uri;
    if (uri)
        evhttp_uri_free(uri);
    return NULL;
}

bool fetch_url_is_good(const char *url)
{
    struct evhttp_uri *uri = parse(url);

    if (uri)
        evhttp_uri_free(uri);
    return uri != NULL;
}

static void on_answer(struct evhttp_request *request, void *ctx)
{
    struct asking *asking = ctx;
    struct fetch *fetch = asking->fetch;
    int status = request ? evhttp_request_get_response_code(request) : 0;

    if (status) {
        struct evbuffer *input = evhttp_request_get_input_buffer(request);
        size_t size = evbuffer_get_length(input);

        fetch->body = malloc(size + 1);
        if (fetch->body) {
            evbuffer_remove(input, fetch->body, size);
            fetch->body[size] = '\0';
            fetch->status = status;
            fetch->error[0] = '\0';
        }
    }
    if (--*asking->open_count == 0)
        event_base_loopbreak(asking->base);
}

/* False: nothing is under way. */
static bool ask(struct asking *asking)
{
    struct fetch *fetch = asking->fetch;
    struct evhttp_uri *uri = parse(fetch->url);
    struct evhttp_request *request = evhttp_request_new(on_answer, asking);
    int port = uri && evhttp_uri_get_port(uri) > 0 ? evhttp_uri_get_port(uri) : PORT_DEFAULT;
    const char *host = uri ? evhttp_uri_get_host(uri) : "";
    bool is_asked = false;

    fetch->status = 0;
    fetch->body = NULL;
    snprintf(fetch->error, sizeof fetch->error, "no answer");
    if (uri && request)
        asking->connection = evhttp_connection_base_new(asking->base, NULL, host, (uint16_t)port);
    if (asking->connection) {
        evhttp_connection_set_timeout(asking->connection, TIMEOUT_S);
        evhttp_add_header(evhttp_request_get_output_headers(request), "Host", host);
        evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
        /* it owns the request from here, also when it fails */
        is_asked =
            evhttp_make_request(asking->connection, request, EVHTTP_REQ_GET, fetch->path) == 0;
    } else if (request) {
        evhttp_request_free(request);
    }
    if (uri)
        evhttp_uri_free(uri);
    return is_asked;
}

bool fetch_all(struct fetcher *fetcher, struct fetch *fetches, size_t count)
{
    struct asking asked[FETCHES_MAX] = {0};
    size_t open_count = 1; /* this call */

    for (size_t i = 0; i < count && i < FETCHES_MAX; i++) {
        asked[i] = (struct asking){&fetches[i], fetcher->base, NULL, &open_count};
        open_count++;
        if (!ask(&asked[i]))
            open_count--;
    }
    if (--open_count > 0 && !fetcher->is_interrupted)
        event_base_dispatch(fetcher->base);
    for (size_t i = 0; i < count && i < FETCHES_MAX; i++)
        if (asked[i].connection)
            evhttp_connection_free(asked[i].connection);
    return !fetcher->is_interrupted;
}

bool fetcher_sleep(struct fetcher *fetcher, double seconds)
{
    struct timeval after = {.tv_sec = (time_t)seconds,
                            .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};

    if (!fetcher->is_interrupted && event_base_loopexit(fetcher->base, &after) == 0)
        event_base_dispatch(fetcher->base);
    return !fetcher->is_interrupted;
}
