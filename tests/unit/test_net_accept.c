/* Accepting without files or memory, where accept4 fails as told, and beside a successor. */
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

struct world {
    struct event_base *base;
    struct shared_page *page; /* of one worker, the server's */
    struct listen_sockets sockets;
    struct net_server *server;
    int client; /* wants to be let in */
};

static void connect_to(struct world *world)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    world->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(getsockname(world->sockets.fds[0], (struct sockaddr *)&address, &size), 0);
    assert_int_equal(connect(world->client, (struct sockaddr *)&address, size), 0);
}

static void make(struct world *world)
{
    static const struct conn_handler handler = {0};
    struct err err = {0};
    *world = (struct world){
        .base = event_base_new(), .page = shared_page_create(1, &err), .sockets = {.count = 1}};
    world->sockets.fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(listen(world->sockets.fds[0], 8), 0); /* at any port */
    struct net_options options = {.listen_fds = world->sockets.fds,
                                  .listen_count = 1,
                                  .tls = SSL_CTX_new(TLS_server_method()),
                                  .page = world->page,
                                  .connections_max = 10,
                                  .in_flight_max = 1,
                                  .handshake_timeout_s = 60,
                                  .idle_timeout_s = 60,
                                  .stall_timeout_s = 60,
                                  .handler = &handler};
    world->server = net_server_create(world->base, &options, &err);
    assert_non_null(world->server);
    connect_to(world);
}

static void unmake(struct world *world)
{
    close(world->client);
    net_server_destroy(&world->server);
    listen_close(&world->sockets);
    shared_page_destroy(&world->page);
    event_base_free(world->base);
}

/* Until he is let in. */
static void turn(struct world *world, int64_t until_us)
{
    while (net_server_connections(world->server) == 0 && clock_monotonic_us() < until_us)
        event_base_loop(world->base, EVLOOP_ONCE);
}

/* It rests between the attempts, instead of asking as often as it can, and goes on by itself. */
static void shortage_of(int code)
{
    struct world world;
    make(&world);
    fault.code = code;
    fault.left = TIMES;
    fault.calls = 0;
    int64_t began_us = clock_monotonic_us();
    turn(&world, began_us + LIMIT_US);
    assert_int_equal(net_server_connections(world.server), 1);
    assert_true(clock_monotonic_us() - began_us >= TIMES * (REST_US - 10000));
    assert_in_range(fault.calls, TIMES + 1, TIMES + 2); /* the last one finds nobody else */
    assert_int_equal(world.page->slots[0].stats.accept_shortages, TIMES);
    unmake(&world);
}

static void it_rests_when_short_of_files_or_memory(void **state)
{
    static const int codes[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        shortage_of(codes[i]);
}

/* While the predecessor serves, and once the successor does: both have the same socket. */
static void another_that_serves_lets_them_in(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    uint64_t *const words[] = {&world.page->is_waiting, &world.page->is_handed_over};
    stats_set(&world.page->slots[0].stats.ready, 1);
    fault.calls = 0;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        stats_set(words[i], 1);
        turn(&world, clock_monotonic_us() + REST_US);
        assert_int_equal(fault.calls, 0);
        stats_set(words[i], 0);
    }
    turn(&world, clock_monotonic_us() + LIMIT_US);
    assert_int_equal(net_server_connections(world.server), 1);
    unmake(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_rests_when_short_of_files_or_memory),
        cmocka_unit_test(another_that_serves_lets_them_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
