/* Many connections from one process, good and bad: those that say nothing, half a ClientHello or a
 * whole one and then nothing, those that end at once, and mutual TLS with a greeting, kept open.
 * Reports on standard output, a line of JSON each: when all have been tried, and at the end, which
 * is when standard input ends. The tests of bad peers and the bench's idle connections run it. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "frame.h"
#include "loyal/v1/envelope.pb-c.h"
#include "support/bench_client.h"

#define TICK_US         10000
#define UNDER_WAY_MAX   200 /* without a rate */
#define SOURCES         250 /* 127.0.1.1 .. */
#define GREETING_MAX    512
#define HALF_HELLO      40
#define CLIENT_HELLO    4096
#define REPORT_AFTER_US INT64_C(200000) /* nothing has changed for so long */

enum kind { KIND_SILENT, KIND_HALF, KIND_HELLO, KIND_BRIEF, KIND_TLS, KIND_COUNT };
static const char *const KINDS[] = {"silent", "half", "hello", "brief", "tls"};

struct options {
    char *host, *port, *kind, *greeting, *authority, *certificate, *key, *merchant;
    int count, rate, is_spread;
};

struct peers {
    struct options options;
    enum kind kind;
    struct event_base *base;
    SSL_CTX *tls;
    struct sockaddr_in to;
    uint8_t hello[CLIENT_HELLO]; /* what a bad peer says */
    size_t hello_size;
    uint8_t greeting[GREETING_MAX]; /* what a good one says */
    size_t greeting_size;
    int tried, connected, under_way, failed, greeted, ended; /* ended: by the other side */
    int64_t begin_us, changed_us, worst_us;                  /* of a connect */
    double due;                                              /* by the rate */
    bool is_reported;
};

struct peer {
    struct peers *peers;
    struct bufferevent *bev;
    int64_t begin_us;
    bool is_under_way, is_greeted;
};

static void open_some(struct peers *peers);

/* ---- one of them ---- */

static void settle(struct peer *peer)
{
    struct peers *peers = peer->peers;
    peers->changed_us = bench_now_us();
    if (peer->is_under_way && peers->changed_us - peer->begin_us > peers->worst_us)
        peers->worst_us = peers->changed_us - peer->begin_us;
    peers->under_way -= peer->is_under_way;
    peer->is_under_way = false;
}

static void peer_end(struct peer *peer)
{
    settle(peer);
    bufferevent_free(peer->bev);
    free(peer);
}

/* The answer to its greeting: from now on it idles. */
static void on_readable(struct bufferevent *bev, void *ctx)
{
    struct peer *peer = ctx;
    struct evbuffer *input = bufferevent_get_input(bev);
    evbuffer_drain(input, evbuffer_get_length(input));
    settle(peer);
    peer->peers->greeted += !peer->is_greeted;
    peer->is_greeted = true;
}

static void on_connected(struct peer *peer)
{
    struct peers *peers = peer->peers;
    peers->connected++;
    if (peers->kind == KIND_BRIEF) {
        peer_end(peer);
        return;
    }
    if (peers->kind == KIND_TLS && peers->greeting_size > 0) {
        bufferevent_write(peer->bev, peers->greeting, peers->greeting_size);
        return;
    }
    if (peers->kind != KIND_TLS)
        bufferevent_write(peer->bev, peers->hello, peers->hello_size);
    settle(peer);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
    struct peer *peer = ctx;
    (void)bev;
    if (what & BEV_EVENT_CONNECTED) {
        on_connected(peer);
        return;
    }
    peer->peers->failed += peer->is_under_way;
    peer->peers->ended += !peer->is_under_way;
    peer_end(peer);
}

static int socket_open(const struct peers *peers)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    from.sin_addr.s_addr = htonl(0x7f000101 + (uint32_t)(peers->tried % SOURCES));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (peers->options.is_spread)
        (void)!bind(fd, (const struct sockaddr *)&from, sizeof from);
    return fd;
}

static void peer_open(struct peers *peers)
{
    struct peer *peer = calloc(1, sizeof *peer);
    int fd = socket_open(peers);
    peers->tried++;
    if (fd < 0 || !peer) {
        peers->failed++;
        free(peer);
        return;
    }
    peer->peers = peers;
    peer->begin_us = bench_now_us();
    peer->is_under_way = true;
    peers->under_way++;
    peer->bev = peers->kind == KIND_TLS
                    ? bufferevent_openssl_socket_new(
                          peers->base, fd, SSL_new(peers->tls), BUFFEREVENT_SSL_CONNECTING,
                          BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS)
                    : bufferevent_socket_new(peers->base, fd,
                                             BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    if (!peer->bev)
        exit(1);
    bufferevent_setcb(peer->bev, on_readable, NULL, on_event, peer);
    bufferevent_enable(peer->bev, EV_READ | EV_WRITE);
    bufferevent_socket_connect(peer->bev, (const struct sockaddr *)&peers->to, sizeof peers->to);
}

/* ---- all of them ---- */

static void report(const struct peers *peers, const char *event)
{
    printf("{\"event\": \"%s\", \"tried\": %d, \"connected\": %d, \"greeted\": %d, \"failed\": %d, "
           "\"under_way\": %d, \"ended\": %d, \"seconds\": %.3f, \"worst_ms\": %.1f}\n",
           event, peers->tried, peers->connected, peers->greeted, peers->failed, peers->under_way,
           peers->ended, (double)(peers->changed_us - peers->begin_us) / 1e6,
           (double)peers->worst_us / 1e3);
    fflush(stdout);
}

static void open_some(struct peers *peers)
{
    const struct options *options = &peers->options;
    peers->due += options->rate * (TICK_US / 1e6);
    while (peers->tried < options->count &&
           (options->rate ? peers->tried < peers->due : peers->under_way < UNDER_WAY_MAX))
        peer_open(peers);
}

static void on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct peers *peers = ctx;
    (void)fd, (void)what;
    open_some(peers);
    bool is_done =
        peers->tried == peers->options.count &&
        (peers->under_way == 0 || bench_now_us() - peers->changed_us > 50 * REPORT_AFTER_US);
    if (is_done && !peers->is_reported && bench_now_us() - peers->changed_us > REPORT_AFTER_US) {
        peers->is_reported = true;
        report(peers, "tried");
    }
}

static void on_input(evutil_socket_t fd, short what, void *ctx)
{
    struct peers *peers = ctx;
    char bytes[64];
    (void)what;
    if (read(fd, bytes, sizeof bytes) <= 0)
        event_base_loopbreak(peers->base);
}

/* ---- what they say ---- */

/* A whole ClientHello, or the beginning of it. */
static void make_hello(struct peers *peers)
{
    SSL *ssl = SSL_new(peers->tls);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_connect(ssl);
    int size = BIO_read(out, peers->hello, sizeof peers->hello);
    SSL_free(ssl);
    if (size <= HALF_HELLO)
        exit(1);
    peers->hello_size = peers->kind == KIND_HALF    ? HALF_HELLO
                        : peers->kind == KIND_HELLO ? (size_t)size
                                                    : 0;
}

static void make_greeting(struct peers *peers)
{
    const char *kind = peers->options.greeting;
    char *text = (char *)peers->greeting;
    if (strcmp(kind, "loyal") == 0) {
        Loyal__V1__HelloRequest hello = LOYAL__V1__HELLO_REQUEST__INIT;
        Loyal__V1__Request request = LOYAL__V1__REQUEST__INIT;
        hello.version_min = hello.version_max = 1;
        hello.merchant = peers->options.merchant;
        hello.software = text; /* "" */
        request.id = 1;
        request.body_case = LOYAL__V1__REQUEST__BODY_HELLO;
        request.hello = &hello;
        size_t size = loyal__v1__request__get_packed_size(&request);
        frame_put_header(peers->greeting, (uint32_t)size);
        loyal__v1__request__pack(&request, peers->greeting + FRAME_HEADER_BYTES);
        peers->greeting_size = FRAME_HEADER_BYTES + size;
    } else if (strcmp(kind, "mqtt") == 0) { /* CONNECT, clean session, no name, no keep-alive */
        static const uint8_t connect[] = {0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 0};
        memcpy(peers->greeting, connect, peers->greeting_size = sizeof connect);
    } else if (strcmp(kind, "http") == 0) {
        peers->greeting_size =
            (size_t)snprintf(text, GREETING_MAX, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
}

static void make_tls(struct peers *peers)
{
    const struct options *options = &peers->options;
    peers->tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(peers->tls, TLS1_3_VERSION);
    SSL_CTX_set_mode(peers->tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set1_groups_list(peers->tls, "X25519");
    SSL_CTX_set_verify(peers->tls, options->authority ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if ((options->authority && SSL_CTX_load_verify_file(peers->tls, options->authority) != 1) ||
        (options->certificate &&
         (SSL_CTX_use_certificate_chain_file(peers->tls, options->certificate) != 1 ||
          SSL_CTX_use_PrivateKey_file(peers->tls, options->key, SSL_FILETYPE_PEM) != 1))) {
        fprintf(stderr, "the certificates cannot be used\n");
        exit(1);
    }
}

static void read_options(int argc, const char **argv, struct peers *peers)
{
    struct options *options = &peers->options;
    struct poptOption table[] = {
        {"host", 0, POPT_ARG_STRING, &options->host, 0, "an IPv4 address; 127.0.0.1", "HOST"},
        {"port", 0, POPT_ARG_STRING, &options->port, 0, "", "PORT"},
        {"kind", 0, POPT_ARG_STRING, &options->kind, 0,
         "silent, half (a ClientHello), hello (a whole one), brief (ends at once), tls", "KIND"},
        {"greeting", 0, POPT_ARG_STRING, &options->greeting, 0,
         "after TLS: loyal (Hello), mqtt, http or none", "KIND"},
        {"merchant", 0, POPT_ARG_STRING, &options->merchant, 0, "of Hello", "CODE"},
        {"authority", 0, POPT_ARG_STRING, &options->authority, 0, "PEM", "FILE"},
        {"certificate", 0, POPT_ARG_STRING, &options->certificate, 0, "PEM", "FILE"},
        {"key", 0, POPT_ARG_STRING, &options->key, 0, "PEM", "FILE"},
        {"count", 0, POPT_ARG_INT, &options->count, 0, "connections", "N"},
        {"rate", 0, POPT_ARG_INT, &options->rate, 0,
         "opened in a second; 0: the next when one is done, 200 at once", "N"},
        {"spread", 0, POPT_ARG_NONE, &options->is_spread, 0, "from 127.0.1.1 and its 249 next",
         NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext context = poptGetContext("peers", argc, argv, table, 0);
    int code = poptGetNextOpt(context);
    while (peers->kind < KIND_COUNT && options->kind &&
           strcmp(options->kind, KINDS[peers->kind]) != 0)
        peers->kind++;
    if (code < -1 || poptPeekArg(context) || !options->port || !options->kind ||
        peers->kind == KIND_COUNT || options->count < 1) {
        poptPrintHelp(context, stderr, 0);
        exit(2);
    }
    poptFreeContext(context);
}

int main(int argc, const char **argv)
{
    static struct peers peers = {
        .options = {.host = "127.0.0.1", .greeting = "loyal", .merchant = ""}};
    static const struct timeval tick = {.tv_usec = TICK_US};
    struct rlimit files;
    read_options(argc, argv, &peers);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    peers.to.sin_family = AF_INET;
    peers.to.sin_port = htons((uint16_t)atoi(peers.options.port));
    inet_pton(AF_INET, peers.options.host, &peers.to.sin_addr);
    peers.base = event_base_new();
    make_tls(&peers);
    make_hello(&peers);
    make_greeting(&peers);
    struct event *ticks = event_new(peers.base, -1, EV_PERSIST, on_tick, &peers);
    struct event *input = event_new(peers.base, 0, EV_READ | EV_PERSIST, on_input, &peers);
    event_add(ticks, &tick);
    event_add(input, NULL);
    peers.begin_us = peers.changed_us = bench_now_us();
    event_base_dispatch(peers.base);
    report(&peers, "end");
    return 0;
}
