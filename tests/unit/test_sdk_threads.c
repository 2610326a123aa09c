/* Clients in threads of their own, one each, at the same time: blocking and driven, with host names
 * looked up, and the functions that any thread may call. `make valgrind` runs it under helgrind
 * too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <poll.h>
#include <string.h>

#include "loyal/loyal.h"
#include "support/fake_server.h"

enum { THREADS = 3, ROUNDS = 20, EACH = FAKE_IN_FLIGHT_MAX };

static struct fake_certificates certificates;

struct shop {
    pthread_t thread;
    struct fake_server server;
    struct loyal_client *client;
    unsigned calls, answers;
    uint8_t key[LOYAL_KEY_BYTES];
};

static bool pong(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    (void)context;
    fake_send_pong(peer, request->id, FAKE_TIME_US);
    return true;
}

static void answered(void *context, const struct loyal_answer *answer)
{
    struct shop *shop = context;
    shop->answers += answer->kind == LOYAL_OK && strcmp(loyal_code_name(answer->code), "OK") == 0;
}

static void drive(struct loyal_client *client)
{
    for (int turns = 0; turns < 2000 && loyal_in_flight(client) > 0; turns++) {
        struct pollfd fd = {.fd = loyal_client_fd(client), .events = POLLIN};
        (void)poll(&fd, 1, loyal_client_timeout_ms(client));
        (void)loyal_client_drive(client);
    }
}

/* cmocka's asserts belong to the main thread: this one counts. */
static void *shop_run(void *context)
{
    struct shop *shop = context;
    const struct loyal_request ping = {.verb = LOYAL_PING};
    for (int round = 0; round < ROUNDS; round++) {
        const struct loyal_options options = {.host = "localhost",
                                              .port = shop->server.port,
                                              .certificate_file = certificates.client,
                                              .key_file = certificates.client,
                                              .authority_file = certificates.authority,
                                              .software = loyal_version(),
                                              .deadline_ms = 60000,
                                              .connect_timeout_ms = 30000};
        if (round % 5 == 0) {
            loyal_client_destroy(&shop->client);
            shop->client = loyal_client_create(&options, NULL, 0);
            if (shop->client == NULL)
                break;
        }
        shop->calls += loyal_call(shop->client, &ping, NULL) == LOYAL_OK;
        loyal_key_make(loyal_server_time_us(shop->client), shop->key);
        for (int i = 0; i < EACH; i++)
            (void)loyal_submit(shop->client, &ping, answered, shop);
        drive(shop->client);
    }
    loyal_client_destroy(&shop->client);
    return NULL;
}

static void a_client_for_each_thread(void **state)
{
    static struct shop shops[THREADS];
    (void)state;
    fake_certificates_make(&certificates);
    for (int i = 0; i < THREADS; i++) {
        shops[i].server.hello = fake_welcome;
        shops[i].server.handler = pong;
        fake_server_start(&shops[i].server, &certificates);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&shops[i].thread, NULL, shop_run, &shops[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(shops[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        fake_server_stop(&shops[i].server);
        assert_int_equal(shops[i].calls, ROUNDS);
        assert_int_equal(shops[i].answers, ROUNDS * EACH);
    }
    assert_memory_not_equal(shops[0].key, shops[1].key, LOYAL_KEY_BYTES);
    fake_certificates_remove(&certificates);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_client_for_each_thread)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
