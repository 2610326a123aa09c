/* Listening sockets and the shared page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/shared_page.h"

/* A port that is free at the moment. */
static void free_address(char address_out[32])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    snprintf(address_out, 32, "127.0.0.1:%d", ntohs(address.sin_port));
}

static void a_taken_port_is_named(void **state)
{
    (void)state;
    char address[32];
    char *addresses[] = {address};
    struct listen_sockets first = {.role = "listen"}, second = {.role = "listen"};
    struct handed_sockets none = {0};
    struct err err = {0};
    free_address(address);
    assert_true(listen_open(&first, addresses, 1, &none, &err));
    assert_int_equal(first.count, 1);
    assert_false(listen_open(&second, addresses, 1, &none, &err));
    assert_int_equal(second.count, 0);
    assert_non_null(strstr(err.text, address));
    assert_non_null(strstr(err.text, "another program has the port"));
    listen_close(&first);
    assert_true(listen_open(&first, addresses, 1, &none, &err));
    listen_close(&first);
}

static void nothing_stays_open_after_a_failure(void **state)
{
    (void)state;
    char address[32];
    char *addresses[] = {address, address};
    struct listen_sockets sockets = {.role = "listen"};
    struct handed_sockets none = {0};
    struct err err = {0};
    free_address(address);
    assert_false(listen_open(&sockets, addresses, 2, &none, &err));
    assert_true(listen_open(&sockets, addresses, 1, &none, &err));
    listen_close(&sockets);
}

static struct handed_sockets handed(int fd, const char *name)
{
    return (struct handed_sockets){.fds = {fd}, .names = {strdup(name)}, .count = 1};
}

/* By its name whatever its address, by its address whatever its name, or not at all. */
static void sockets_handed_over_are_taken(void **state)
{
    (void)state;
    char address[32], other[32];
    char *addresses[] = {address};
    struct listen_sockets owner = {.role = "listen"}, taker = {.role = "listen"};
    struct handed_sockets none = {0}, given;
    struct err err = {0};
    free_address(address);
    char *others[] = {other};
    assert_true(listen_open(&owner, addresses, 1, &none, &err));

    given = handed(dup(owner.fds[0]), "loyald.socket");
    assert_true(listen_open(&taker, addresses, 1, &given, &err)); /* bound it could not be */
    assert_int_equal(taker.count, 1);
    assert_string_equal(listen_name(&taker, 0), "given");
    listen_shut(&taker); /* not ours to shut */
    listen_close(&taker);
    handed_close(&given);

    free_address(other);
    given = handed(dup(owner.fds[0]), "listen");
    assert_true(listen_open(&taker, others, 1, &given, &err));
    assert_int_equal(taker.count, 1); /* the other address is not bound */
    assert_string_equal(listen_name(&taker, 0), "listen");
    listen_close(&taker);
    handed_close(&given);

    given = handed(dup(owner.fds[0]), "bound");
    assert_true(listen_open(&taker, others, 1, &given, &err));
    assert_int_equal(given.fds[0] >= 0, 1); /* nobody's: closed by the next line */
    handed_close(&given);
    listen_close(&taker);

    given = handed(socket(AF_INET, SOCK_STREAM, 0), "listen");
    assert_false(listen_open(&taker, others, 1, &given, &err));
    assert_non_null(strstr(err.text, "no listening TCP socket"));
    handed_close(&given);
    listen_close(&owner);
}

static void processes_see_each_others_counters(void **state)
{
    (void)state;
    struct err err = {0};
    struct shared_page *page = shared_page_create(2, &err);
    assert_non_null(page);
    assert_false(shared_page_is_ready(page));
    pid_t pid = fork();
    if (pid == 0) {
        struct worker_stats *stats = &page->slots[1].stats;
        stats->pid = 7;
        stats->reload_failed = 1; /* the last gauge, before the first counter */
        stats_add(&stats->connections, 3);
        stats_add(&stats->connections, -1);
        stats_add(&stats->requests, 5);
        stats_time(&stats->batch_times, 700);
        stats->ready = 1;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    assert_true(shared_page_is_ready(page));
    const struct worker_stats *other = &page->slots[0].stats, *stats = &page->slots[1].stats;
    assert_int_equal(stats->connections, 2);
    assert_int_equal(other->connections, 0);
    shared_page_clear(page, 1);
    assert_false(shared_page_is_ready(page));
    assert_int_equal(stats->connections, 0);
    assert_int_equal(stats->reload_failed, 0);
    assert_int_equal(stats->requests, 5);
    assert_int_equal(stats->batch_times.buckets[1], 1);
    assert_int_equal(stats->batch_times.sum_us, 700);
    shared_page_destroy(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_taken_port_is_named),
        cmocka_unit_test(nothing_stays_open_after_a_failure),
        cmocka_unit_test(sockets_handed_over_are_taken),
        cmocka_unit_test(processes_see_each_others_counters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
