/* The SDK against a scripted server: repetition under one key, lost connections, deadlines,
 * refusals of certificates and of Hello, many in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "unit/sdk_fixture.h"

/* ---- handlers ---- */

static void key_note(struct script *noted, const Loyal__V1__Request *request)
{
    if (noted->key_count < 8 && request->body_case == LOYAL__V1__REQUEST__BODY_REDEEM)
        memcpy(noted->keys[noted->key_count++], request->redeem->key.data, 16);
}

enum mode { ANSWER_RETRY, ANSWER_UNKNOWN, CLOSE, NEVER_AGAIN };

/* The first request meets the mode, those after it are answered. */
static bool first_fails(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    struct script *noted = context;
    key_note(noted, request);
    if (server.requests > 1 && noted->mode != NEVER_AGAIN) {
        fake_send_redeemed(peer, request->id);
        return true;
    }
    if (noted->mode == ANSWER_RETRY)
        fake_send_outcome(peer, request->id, LOYAL_RETRY, LOYAL_CODE_OVERLOADED);
    if (noted->mode == ANSWER_UNKNOWN)
        fake_send_outcome(peer, request->id, LOYAL_UNKNOWN, LOYAL_CODE_OUTCOME_UNKNOWN);
    if (noted->mode == NEVER_AGAIN && server.requests > 1)
        fake_send_outcome(peer, request->id, LOYAL_RETRY, LOYAL_CODE_OVERLOADED);
    return noted->mode == ANSWER_RETRY || noted->mode == ANSWER_UNKNOWN || server.requests > 1;
}

static bool silent(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    struct script *noted = context;
    if (peer->requests == 1) {
        noted->held_id = request->id;
        return true;
    }
    fake_send_pong(peer, noted->held_id, 1); /* too late */
    fake_send_pong(peer, request->id, 2);
    return true;
}

/* ---- the blocking call ---- */

static void a_call(void **state)
{
    const struct loyal_answer *answer = NULL;
    (void)state;
    start(fake_welcome, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_server_time_us(client), 0);
    assert_int_equal(loyal_connect(client, &answer), LOYAL_OK);
    assert_in_range(loyal_server_time_us(client) - FAKE_TIME_US, 0, 999999);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_OK);
    assert_int_equal(answer->attempts, 1);
    assert_in_range(script.deadline_ms, DEADLINE_MS - 10000, DEADLINE_MS);
    assert_true(loyal_server_time_us(client) >= FAKE_TIME_US + 1000000);
    assert_int_equal(loyal_connect(client, NULL), LOYAL_OK);
    assert_int_equal(server.connections, 1);
    assert_int_equal(loyal_in_flight(client), 0);
    assert_int_equal(loyal_unsent(client), 0);
    stop(&client);
}

/* A redemption that fails in that mode first: one key, and the second attempt's answer. */
static void repeats(int mode)
{
    const struct loyal_answer *answer = NULL;
    const struct loyal_request redeem = {.verb = LOYAL_REDEEM, .points = 5};
    const uint8_t zero[16] = {0};
    start(fake_welcome, first_fails);
    script.mode = mode;
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_call(client, &redeem, &answer), LOYAL_OK);
    assert_int_equal(answer->attempts, 2);
    assert_int_equal(answer->points, 5);
    assert_int_equal(script.key_count, 2);
    assert_memory_equal(script.keys[0], script.keys[1], 16);
    assert_memory_not_equal(script.keys[0], zero, 16); /* made, since none was given */
    assert_int_equal(server.connections, mode == CLOSE ? 2 : 1);
    stop(&client);
}

static void a_call_repeats_under_one_key(void **state)
{
    (void)state;
    repeats(ANSWER_RETRY);
    repeats(ANSWER_UNKNOWN);
    repeats(CLOSE);
}

static void an_open_question_stays_open(void **state)
{
    const struct loyal_answer *answer = NULL;
    (void)state;
    start(fake_welcome, first_fails);
    script.mode = NEVER_AGAIN; /* the first is lost, then RETRY for ever */
    struct loyal_options options = options_make();
    options.deadline_ms = short_ms(1500);
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_UNKNOWN);
    assert_int_equal(answer->code, LOYAL_CODE_OVERLOADED);
    assert_true(answer->attempts >= 2);
    stop(&client);
}

/* Both are said before the key is looked up, so they say nothing of the first attempt. */
static bool then_refused(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    const struct script *noted = context;
    bool is_first = server.requests == 1;
    fake_send_outcome(peer, request->id, is_first ? LOYAL_UNKNOWN : LOYAL_REFUSED,
                      is_first ? LOYAL_CODE_OUTCOME_UNKNOWN : noted->mode);
    return true;
}

static void what_no_key_decided_leaves_it_open(void **state)
{
    static const int codes[] = {LOYAL_CODE_INTERNAL, LOYAL_CODE_UNKNOWN_MEMBER,
                                LOYAL_CODE_NOT_ENOUGH_POINTS};
    const struct loyal_answer *answer = NULL;
    (void)state;
    for (int i = 0; i < 3; i++) {
        start(fake_welcome, then_refused);
        script.mode = codes[i];
        struct loyal_options options = options_make();
        struct loyal_client *client = client_make(&options);
        assert_int_equal(loyal_call(client, &PING, &answer), i < 2 ? LOYAL_UNKNOWN : LOYAL_REFUSED);
        assert_int_equal(answer->code, codes[i]);
        stop(&client);
    }
}

static void a_late_answer_is_nobodys(void **state)
{
    const struct loyal_answer *answer = NULL;
    (void)state;
    start(fake_welcome, silent);
    struct loyal_options options = options_make();
    options.deadline_ms = short_ms(1000);
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_UNKNOWN);
    assert_int_equal(answer->code, LOYAL_CODE_TIMEOUT);
    assert_int_equal(answer->attempts, 1);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_OK);
    assert_int_equal(answer->as_of_us, 2);
    assert_int_equal(server.connections, 1);
    stop(&client);
}

static void nobody_listens(void **state)
{
    const struct loyal_answer *answer = NULL;
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, pong);
    fake_server_stop(&server);
    struct loyal_options options = options_make();
    options.deadline_ms = short_ms(1000);
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_connect(client, &answer), LOYAL_RETRY);
    assert_int_equal(answer->code, LOYAL_CODE_CONNECTION);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_RETRY);
    assert_int_equal(answer->code, LOYAL_CODE_TIMEOUT);
    assert_non_null(strstr(answer->text, "refused"));
    assert_int_equal(answer->attempts, 0);
    loyal_client_destroy(&client);
    options.no_repeat = true;
    client = client_make(&options);
    assert_true(loyal_submit(client, &PING, note, &seen));
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_RETRY);
    assert_int_equal(seen.code, LOYAL_CODE_CONNECTION);
    loyal_client_destroy(&client);
}

/* ---- who is who ---- */

static void expect_certificate_refused(const struct loyal_options *options)
{
    const struct loyal_answer *answer = NULL;
    struct loyal_client *client = client_make(options);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_REFUSED);
    assert_int_equal(answer->code, LOYAL_CODE_CERTIFICATE);
    assert_int_equal(loyal_connect(client, &answer), LOYAL_REFUSED);
    assert_int_equal(answer->code, LOYAL_CODE_CERTIFICATE);
    loyal_client_destroy(&client);
}

static void certificates_are_refused(void **state)
{
    (void)state;
    start(fake_welcome, pong);
    struct loyal_options options = options_make();
    options.certificate_file = options.key_file = certificates.stranger;
    expect_certificate_refused(&options);
    options = options_make();
    options.server_name = "elsewhere.example";
    expect_certificate_refused(&options);
    options.server_name = "127.0.0.2";
    expect_certificate_refused(&options);
    options = options_make();
    options.authority_file = certificates.stranger;
    expect_certificate_refused(&options);
    fake_server_stop(&server);
}

static void files_are_named_when_wrong(void **state)
{
    char error[200] = "";
    (void)state;
    struct loyal_options options = options_make();
    options.key_file = "/nonexistent";
    assert_null(loyal_client_create(&options, error, sizeof error));
    assert_non_null(strstr(error, "key_file /nonexistent"));
    options.key_file = certificates.stranger;
    assert_null(loyal_client_create(&options, error, sizeof error));
    options.host = NULL;
    assert_null(loyal_client_create(&options, NULL, 0));
}

static bool hello_refused(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    const struct script *noted = context;
    if (noted->mode == CLOSE && peer->connection == 1)
        return fake_welcome(peer, request, context);
    fake_send_outcome(peer, request->id, LOYAL_REFUSED, LOYAL_CODE_WRONG_MERCHANT);
    return false;
}

static void a_refused_hello_refuses_all(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(hello_refused, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    for (int i = 0; i < 5; i++)
        assert_true(loyal_submit(client, &PING, note, &seen));
    poll_until(client, &seen, 5);
    assert_int_equal(seen.kind, LOYAL_REFUSED);
    assert_int_equal(seen.code, LOYAL_CODE_WRONG_MERCHANT);
    assert_int_equal(seen.attempts, 0);
    assert_int_equal(server.requests, 0);
    stop(&client);
}

static void a_hello_refused_later_leaves_the_lost_unknown(void **state)
{
    const struct loyal_answer *answer = NULL;
    (void)state;
    start(hello_refused, first_fails);
    script.mode = CLOSE;
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_UNKNOWN);
    assert_int_equal(answer->code, LOYAL_CODE_WRONG_MERCHANT);
    stop(&client);
}

static bool hello_later(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    if (peer->connection > 2)
        return fake_welcome(peer, request, context);
    fake_send_outcome(peer, request->id, LOYAL_RETRY, LOYAL_CODE_NOT_READY);
    return false;
}

static void a_hello_put_off_is_repeated(void **state)
{
    const struct loyal_answer *answer = NULL;
    (void)state;
    start(hello_later, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_connect(client, &answer), LOYAL_RETRY);
    assert_int_equal(answer->code, LOYAL_CODE_NOT_READY);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_OK);
    assert_int_equal(answer->attempts, 1);
    assert_int_equal(server.connections, 3);
    stop(&client);
}

/* ---- submit and poll ---- */

/* Answers each two requests in reverse. */
static bool reversed(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    struct script *noted = context;
    if (peer->requests % 2 != 0) {
        noted->held_id = request->id;
        return true;
    }
    fake_send_pong(peer, request->id, 1);
    fake_send_pong(peer, noted->held_id, 1);
    return true;
}

struct resubmitter {
    struct loyal_client *client;
    struct seen seen;
    unsigned left;
};

static void note_and_submit(void *context, const struct loyal_answer *answer)
{
    struct resubmitter *self = context;
    note(&self->seen, answer);
    if (self->left > 0 && loyal_submit(self->client, &PING, note_and_submit, self))
        self->left--;
}

static void many_in_flight_in_any_order(void **state)
{
    (void)state;
    start(fake_welcome, reversed);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    struct resubmitter self = {.client = client, .left = 992};
    for (int i = 0; i < FAKE_IN_FLIGHT_MAX; i++)
        assert_true(loyal_submit(client, &PING, note_and_submit, &self));
    assert_true(loyal_unsent(client) > 0);
    poll_until(client, &self.seen, 1000);
    assert_int_equal(self.seen.ok, 1000);
    assert_int_equal(loyal_in_flight(client), 0);
    stop(&client);
}

static void in_flight_is_bounded(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, pong);
    struct loyal_options options = options_make();
    options.in_flight_max = 3;
    struct loyal_client *client = client_make(&options);
    for (int i = 0; i < 3; i++)
        assert_true(loyal_submit(client, &PING, note, &seen));
    assert_false(loyal_submit(client, &PING, note, &seen));
    poll_until(client, &seen, 3);
    assert_int_equal(seen.ok, 3);
    stop(&client);
}

static void without_repetition_a_lost_one_is_unknown(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, first_fails);
    script.mode = CLOSE;
    struct loyal_options options = options_make();
    options.no_repeat = true;
    struct loyal_client *client = client_make(&options);
    assert_true(loyal_submit(client, &PING, note, &seen));
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_UNKNOWN);
    assert_int_equal(seen.code, LOYAL_CODE_CONNECTION);
    assert_int_equal(seen.attempts, 1);
    stop(&client);
}

static void a_disconnect_is_survived(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_connect(client, NULL), LOYAL_OK);
    for (unsigned round = 1; round <= 5; round++) {
        for (int i = 0; i < 4; i++)
            assert_true(loyal_submit(client, &PING, note, &seen));
        (void)turn(client, 0);
        loyal_disconnect(client);
        assert_true(loyal_submit(client, &PING, note, &seen)); /* into the closed socket */
        poll_until(client, &seen, 5 * round);
    }
    assert_int_equal(seen.ok, 25);
    stop(&client);
}

static void destroy_delivers(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, silent);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_true(loyal_submit(client, &PING, note, &seen));
    loyal_client_destroy(&client);
    assert_int_equal(seen.kind, LOYAL_RETRY); /* never sent */
    client = client_make(&options);
    assert_int_equal(loyal_connect(client, NULL), LOYAL_OK);
    assert_true(loyal_submit(client, &PING, note, &seen));
    while (loyal_unsent(client) > 0)
        (void)turn(client, 10);
    stop(&client);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.kind, LOYAL_UNKNOWN);
}

static void what_cannot_be_sent_is_refused_by_a_callback(void **state)
{
    struct seen seen = {0};
    const struct loyal_request none = {0};
    const struct loyal_answer *answer = NULL;
    (void)state;
    start(fake_welcome, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_true(loyal_submit(client, &none, note, &seen));
    assert_int_equal(seen.count, 0);
    assert_int_equal(turn(client, 1000), 1);
    assert_int_equal(seen.kind, LOYAL_REFUSED);
    assert_int_equal(loyal_call(client, &none, &answer), LOYAL_REFUSED);
    assert_string_equal(answer->field, "verb");
    stop(&client);
}

static void many_clients_in_one_loop(void **state)
{
    enum { CLIENTS = 260 }; /* more than loyal_poll_many has room for on its stack */
    static struct loyal_client *clients[CLIENTS];
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, pong);
    struct loyal_options options = options_make();
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = client_make(&options);
    /* The server takes one connection at a time: only the first gets one. */
    assert_true(loyal_submit(clients[0], &PING, note, &seen));
    for (int turn = 0; turn < 500 && seen.count == 0; turn++)
        (void)loyal_poll_many(clients, CLIENTS, 10);
    assert_int_equal(seen.ok, 1);
    for (int i = 0; i < CLIENTS; i++)
        loyal_client_destroy(&clients[i]);
    fake_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest calls[] = {
        cmocka_unit_test(a_call),
        cmocka_unit_test(a_call_repeats_under_one_key),
        cmocka_unit_test(an_open_question_stays_open),
        cmocka_unit_test(what_no_key_decided_leaves_it_open),
        cmocka_unit_test(a_late_answer_is_nobodys),
        cmocka_unit_test(certificates_are_refused),
        cmocka_unit_test(files_are_named_when_wrong),
        cmocka_unit_test(a_hello_refused_later_leaves_the_lost_unknown),
        cmocka_unit_test(a_hello_put_off_is_repeated),
        cmocka_unit_test(many_clients_in_one_loop),
    };
    /* The library's loop and the caller's come to the same. */
    const struct CMUnitTest loops[] = {
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_refused_hello_refuses_all),
        cmocka_unit_test(many_in_flight_in_any_order),
        cmocka_unit_test(in_flight_is_bounded),
        cmocka_unit_test(without_repetition_a_lost_one_is_unknown),
        cmocka_unit_test(a_disconnect_is_survived),
        cmocka_unit_test(destroy_delivers),
        cmocka_unit_test(what_cannot_be_sent_is_refused_by_a_callback),
    };
    int failed = cmocka_run_group_tests(calls, certificates_make, certificates_remove);
    failed += cmocka_run_group_tests(loops, certificates_make, certificates_remove);
    is_driven = true;
    return failed + cmocka_run_group_tests(loops, certificates_make, certificates_remove);
}
