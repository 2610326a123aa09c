/* Accepting without files or memory: accept4 fails as told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/listen.h"
#include "net/server.h"

#define TIMES    3
#define REST_US  100000
#define LIMIT_US 20000000

static struct {
    int code, left; /* how often it fails so */
    int calls;
} fault;

/* Takes the place of libc's. */
int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    fault.calls++;
    if (fault.left > 0) {
        fault.left--;
        errno = fault.code;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, address, size, flags);
}

static int connect_to(const struct listen_sockets *sockets)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(getsockname(sockets->fds[0], (struct sockaddr *)&address, &size), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
    return fd;
}

/* It rests between the attempts, instead of asking as often as it can, and goes on by itself. */
static void shortage_of(int code)
{
    static const struct conn_handler handler = {0};
    struct listen_sockets sockets = {.count = 1};
    struct err err = {0};
    struct event_base *base = event_base_new();
    struct shared_page *page = shared_page_create(1, &err);
    sockets.fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(listen(sockets.fds[0], 8), 0); /* at any port */
    struct net_options options = {.listen_fds = sockets.fds,
                                  .listen_count = 1,
                                  .tls = SSL_CTX_new(TLS_server_method()),
                                  .page = page,
                                  .connections_max = 10,
                                  .in_flight_max = 1,
                                  .handshake_timeout_s = 60,
                                  .idle_timeout_s = 60,
                                  .stall_timeout_s = 60,
                                  .handler = &handler};
    struct net_server *server = net_server_create(base, &options, &err);
    assert_non_null(server);
    fault.code = code;
    fault.left = TIMES;
    fault.calls = 0;
    int client = connect_to(&sockets);
    int64_t began_us = clock_monotonic_us(), now_us = began_us;
    while (net_server_connections(server) == 0 && now_us - began_us < LIMIT_US) {
        event_base_loop(base, EVLOOP_ONCE);
        now_us = clock_monotonic_us();
    }
    assert_int_equal(net_server_connections(server), 1);
    assert_true(now_us - began_us >= TIMES * (REST_US - 10000));
    assert_in_range(fault.calls, TIMES + 1, TIMES + 2); /* the last one finds nobody else */
    assert_int_equal(page->slots[0].stats.accept_shortages, TIMES);
    close(client);
    net_server_destroy(&server);
    listen_close(&sockets);
    shared_page_destroy(&page);
    event_base_free(base);
}

static void it_rests_when_short_of_files_or_memory(void **state)
{
    static const int codes[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        shortage_of(codes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_rests_when_short_of_files_or_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
