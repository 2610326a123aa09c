/* A client driven by a loop of the program's own, in each state of its connection: nobody listens,
 * half a handshake, byte by byte, an answer cut off, thousands waiting; the descriptor and the time
 * that the loop goes by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/sdk_fixture.h"

static int driven(void **state)
{
    is_driven = true;
    return certificates_make(state);
}

/* ---- the descriptor and the time ---- */

static void the_loop_is_told_when(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_client_timeout_ms(client), -1); /* nothing to do, for ever */
    assert_int_equal(loyal_client_drive(client), 0);
    assert_int_equal(server.connections, 0);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    assert_int_equal(loyal_client_timeout_ms(client), 0);
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_OK);
    assert_int_equal(loyal_client_timeout_ms(client), -1);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL); /* on the open one */
    assert_int_equal(loyal_client_timeout_ms(client), 0);
    (void)loyal_client_drive(client);
    assert_in_range(loyal_client_timeout_ms(client), 1, DEADLINE_MS); /* its deadline */
    poll_until(client, &seen, 2);
    stop(&client);
}

/* Nobody asks for the descriptor: the time alone is enough to get on, by trying. */
static void a_loop_may_only_try(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    for (int turns = 0; turns < 5000 && seen.count == 0; turns++) {
        (void)loyal_client_drive(client);
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(seen.ok, 1);
    stop(&client);
}

static bool closes_after_one(struct fake_peer *peer, const Loyal__V1__Request *request,
                             void *context)
{
    return pong(peer, request, context) && peer->requests < 2;
}

/* Sockets come and go; the loop's descriptor stays, and so does what the loop knows about it. */
static void one_descriptor_for_life(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, closes_after_one);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    int fd = loyal_client_fd(client);
    for (unsigned i = 1; i <= 40; i++) {
        assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
        poll_until(client, &seen, i);
        assert_int_equal(loyal_client_fd(client), fd);
    }
    assert_int_equal(seen.ok, 40);
    assert_true(server.connections >= 20);
    stop(&client);
    assert_int_equal(close(fd), -1); /* closed with the client */
}

/* What blocks turns the same client, and leaves the descriptor right. */
static void blocking_calls_between(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, closes_after_one);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    for (unsigned i = 1; i <= 10; i++) {
        assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
        if (i % 2 == 0)
            assert_int_equal(loyal_call(client, &PING, NULL), LOYAL_OK);
        poll_until(client, &seen, i);
    }
    assert_int_equal(seen.ok, 10);
    stop(&client);
}

/* ---- connections that do not come about ---- */

static void nobody_listens(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, pong);
    fake_server_stop(&server);
    struct loyal_options options = options_make();
    options.deadline_ms = short_ms(1000);
    struct loyal_client *client = client_make(&options);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    unsigned turns = 0;
    for (; seen.count == 0 && turns < 1000; turns++)
        (void)turn(client, 1000);
    assert_int_equal(seen.kind, LOYAL_RETRY);
    assert_int_equal(seen.code, LOYAL_CODE_TIMEOUT);
    assert_in_range(turns, 2, 100); /* it backs off, and does not spin */
    loyal_client_destroy(&client);
}

/* A listener that says nothing. */
static int listen_mutely(char port_out[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(port_out, 8, "%u", (unsigned)ntohs(address.sin_port));
    return fd;
}

static void half_a_handshake(void **state)
{
    struct seen seen = {0};
    char port[8];
    (void)state;
    int listener = listen_mutely(port);
    struct loyal_options options = options_make();
    options.port = port;
    options.no_repeat = true;
    options.connect_timeout_ms = 100;
    struct loyal_client *client = client_make(&options);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_RETRY); /* never sent */
    assert_int_equal(seen.code, LOYAL_CODE_CONNECTION);
    loyal_client_destroy(&client);
    (void)close(listener);
}

static bool deaf(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    (void)peer;
    (void)request;
    (void)context;
    return true;
}

static void no_answer_to_hello(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(deaf, pong);
    struct loyal_options options = options_make();
    options.no_repeat = true;
    options.connect_timeout_ms = 200;
    struct loyal_client *client = client_make(&options);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_RETRY);
    assert_int_equal(seen.code, LOYAL_CODE_CONNECTION);
    stop(&client);
}

/* ---- byte by byte ---- */

struct relay {
    int listener;
    char port[8];
    pthread_t thread;
};

/* Moves one byte; false: that side has ended. */
static bool pass(int from, int to)
{
    char byte;
    return recv(from, &byte, 1, 0) == 1 && send(to, &byte, 1, MSG_NOSIGNAL) == 1;
}

static void *relay_run(void *context)
{
    struct relay *relay = context;
    const int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)atoi(server.port))};
    int ends[2] = {accept(relay->listener, NULL, NULL), socket(AF_INET, SOCK_STREAM, 0)};
    bool go_on = ends[0] >= 0 && connect(ends[1], (struct sockaddr *)&address, sizeof address) == 0;
    for (int i = 0; i < 2; i++)
        (void)setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (go_on) {
        struct pollfd fds[2] = {{.fd = ends[0], .events = POLLIN},
                                {.fd = ends[1], .events = POLLIN}};
        (void)poll(fds, 2, -1);
        for (int i = 0; i < 2; i++)
            if (fds[i].revents != 0)
                go_on = go_on && pass(ends[i], ends[1 - i]);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    return NULL;
}

static void handshake_and_answers_byte_by_byte(void **state)
{
    struct seen seen = {0};
    struct relay relay;
    (void)state;
    start(fake_welcome, pong);
    relay.listener = listen_mutely(relay.port);
    assert_int_equal(pthread_create(&relay.thread, NULL, relay_run, &relay), 0);
    struct loyal_options options = options_make();
    options.port = relay.port;
    struct loyal_client *client = client_make(&options);
    for (unsigned i = 0; i < 20; i++)
        assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    poll_until(client, &seen, 20);
    assert_int_equal(seen.ok, 20);
    assert_int_equal(server.connections, 1);
    loyal_client_destroy(&client);
    pthread_join(relay.thread, NULL);
    (void)close(relay.listener);
    fake_server_stop(&server);
}

/* ---- answers ---- */

/* Half an answer, then the end; the second time the whole one. */
static bool cut_off(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    struct script *noted = context;
    memcpy(noted->keys[noted->key_count++ % 8], request->redeem->key.data, 16);
    if (peer->connection > 1)
        return fake_send_redeemed(peer, request->id), true;
    fake_send_bytes(peer, "\0\0\0\x20half", 8);
    return false;
}

static void an_answer_cut_off_is_asked_again_by_its_key(void **state)
{
    struct seen seen = {0};
    struct loyal_request redeem = {.verb = LOYAL_REDEEM, .points = 5};
    (void)state;
    loyal_key_make(FAKE_TIME_US, redeem.key);
    start(fake_welcome, cut_off);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_true(loyal_submit(client, &redeem, note, &seen) != LOYAL_FULL);
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_OK);
    assert_int_equal(seen.attempts, 2);
    assert_int_equal(script.key_count, 2);
    assert_memory_equal(script.keys[0], redeem.key, 16);
    assert_memory_equal(script.keys[1], redeem.key, 16);
    stop(&client);
}

static void a_deadline_passes(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, deaf);
    struct loyal_options options = options_make();
    options.deadline_ms = short_ms(1000);
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_connect(client, NULL), LOYAL_OK);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_UNKNOWN);
    assert_int_equal(seen.code, LOYAL_CODE_TIMEOUT);
    stop(&client);
}

/* All wait in the client at first; the server sees no more than it allows. */
static void thousands_in_flight(void **state)
{
    enum { COUNT = 5000 };
    static struct seen seen[COUNT];
    struct seen last = {0};
    (void)state;
    start(fake_welcome, pong);
    struct loyal_options options = options_make();
    options.in_flight_max = COUNT + 1;
    options.deadline_ms = 60000;
    struct loyal_client *client = client_make(&options);
    for (int i = 0; i < COUNT; i++)
        assert_true(loyal_submit(client, &PING, note, &seen[i]) != LOYAL_FULL);
    assert_true(loyal_submit(client, &PING, note, &last) != LOYAL_FULL);
    assert_true(loyal_submit(client, &PING, note, &last) == LOYAL_FULL);
    assert_int_equal(loyal_in_flight(client), COUNT + 1);
    for (int turns = 0; turns < 100000 && loyal_in_flight(client) > 0; turns++)
        (void)turn(client, 100);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(seen[i].count, 1);
        assert_int_equal(seen[i].kind, LOYAL_OK);
    }
    assert_int_equal(last.count, 1);
    assert_int_equal(server.connections, 1);
    stop(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loop_is_told_when),
        cmocka_unit_test(a_loop_may_only_try),
        cmocka_unit_test(one_descriptor_for_life),
        cmocka_unit_test(blocking_calls_between),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(half_a_handshake),
        cmocka_unit_test(no_answer_to_hello),
        cmocka_unit_test(handshake_and_answers_byte_by_byte),
        cmocka_unit_test(an_answer_cut_off_is_asked_again_by_its_key),
        cmocka_unit_test(a_deadline_passes),
        cmocka_unit_test(thousands_in_flight),
    };
    return cmocka_run_group_tests(tests, driven, certificates_remove);
}
