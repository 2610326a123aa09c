/* Taking requests back in each of their states, back-pressure, and what a callback may do: submit,
 * cancel, destroy. Each callback comes exactly once, and never inside the call that caused it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "unit/sdk_fixture.h"

static const struct loyal_request REDEEM = {.verb = LOYAL_REDEEM, .key = {1}, .points = 5};

static bool silent(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    (void)peer;
    (void)request;
    (void)context;
    return true;
}

static struct loyal_client *connected(void)
{
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_connect(client, NULL), LOYAL_OK);
    return client;
}

static void turn_until_read(struct loyal_client *client, unsigned requests)
{
    for (int turns = 0; turns < 2000 && server.requests < requests; turns++)
        (void)turn(client, 10);
    assert_int_equal(server.requests, requests);
}

/* ---- cancelling ---- */

static void expect_cancelled(struct loyal_client *client, loyal_ticket ticket,
                             const struct seen *seen, enum loyal_kind kind)
{
    assert_true(loyal_cancel(client, ticket));
    assert_false(loyal_cancel(client, ticket));
    assert_int_equal(seen->count, 0); /* not inside the call */
    assert_int_equal(loyal_client_timeout_ms(client), 0);
    assert_int_equal(turn(client, 1000), 1);
    assert_int_equal(seen->count, 1);
    assert_int_equal(seen->code, LOYAL_CODE_CANCELLED);
    assert_int_equal(seen->kind, kind);
    assert_false(loyal_cancel(client, ticket));
    assert_int_equal(loyal_in_flight(client), 0);
}

static void before_there_is_a_connection(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    loyal_ticket ticket = loyal_submit(client, &REDEEM, note, &seen);
    expect_cancelled(client, ticket, &seen, LOYAL_RETRY); /* nothing of it was sent */
    assert_int_equal(seen.attempts, 0);
    assert_int_equal(server.requests, 0);
    stop(&client);
}

/* Beyond the server's window, behind requests that are never answered. */
static void while_it_waits_for_room(void **state)
{
    struct seen others = {0}, seen = {0};
    (void)state;
    start(fake_welcome, silent);
    struct loyal_options options = options_make();
    options.in_flight_max = FAKE_IN_FLIGHT_MAX + 1;
    struct loyal_client *client = client_make(&options);
    for (int i = 0; i < FAKE_IN_FLIGHT_MAX; i++)
        assert_true(loyal_submit(client, &PING, note, &others) != LOYAL_FULL);
    loyal_ticket ticket = loyal_submit(client, &REDEEM, note, &seen);
    turn_until_read(client, FAKE_IN_FLIGHT_MAX);
    assert_true(loyal_cancel(client, ticket));
    assert_int_equal(turn(client, 1000), 1);
    assert_int_equal(seen.kind, LOYAL_RETRY);
    assert_int_equal(seen.attempts, 0);
    assert_int_equal(others.count, 0);
    stop(&client);
    assert_int_equal(seen.count, 1);
    assert_int_equal(others.count, FAKE_IN_FLIGHT_MAX);
}

static bool answers_late(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    struct script *noted = context;
    if (peer->requests == 1) {
        noted->held_id = request->id;
        return true;
    }
    fake_send_redeemed(peer, noted->held_id);
    fake_send_pong(peer, request->id, 2);
    return true;
}

/* It may have been carried out, and its key stays good; its answer is nobody's. */
static void after_it_was_sent(void **state)
{
    struct seen seen = {0}, next = {0};
    (void)state;
    start(fake_welcome, answers_late);
    struct loyal_client *client = connected();
    loyal_ticket ticket = loyal_submit(client, &REDEEM, note, &seen);
    turn_until_read(client, 1);
    expect_cancelled(client, ticket, &seen, LOYAL_UNKNOWN);
    assert_int_equal(seen.attempts, 1);
    assert_true(loyal_submit(client, &PING, note, &next) != LOYAL_FULL);
    poll_until(client, &next, 1);
    assert_int_equal(next.kind, LOYAL_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(server.connections, 1);
    stop(&client);
}

static bool later(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    const struct script *noted = context;
    Loyal__V1__Response response = LOYAL__V1__RESPONSE__INIT;
    Loyal__V1__Outcome outcome = LOYAL__V1__OUTCOME__INIT;
    outcome.kind = (Loyal__V1__OutcomeKind)noted->mode;
    outcome.code =
        noted->mode == LOYAL_RETRY ? OUTCOME_CODE(OVERLOADED) : OUTCOME_CODE(OUTCOME_UNKNOWN);
    outcome.retry_after_ms = 30000;
    response.id = request->id;
    response.outcome = &outcome;
    fake_send(peer, &response);
    return true;
}

/* Between two attempts: what the first came to decides. */
static void cancel_between_attempts(enum loyal_kind answered)
{
    struct seen seen = {0};
    start(fake_welcome, later);
    script.mode = answered;
    struct loyal_options options = options_make();
    options.deadline_ms = 120000;
    struct loyal_client *client = client_make(&options);
    loyal_ticket ticket = loyal_submit(client, &REDEEM, note, &seen);
    turn_until_read(client, 1);
    for (int turns = 0; turns < 1000 && loyal_unsent(client) == 0; turns++)
        (void)turn(client, 10);
    assert_true(loyal_unsent(client) > 0);
    expect_cancelled(client, ticket, &seen, answered);
    assert_int_equal(seen.attempts, 1);
    stop(&client);
}

static void while_it_waits_for_its_repetition(void **state)
{
    (void)state;
    cancel_between_attempts(LOYAL_RETRY);
    cancel_between_attempts(LOYAL_UNKNOWN);
}

static void what_is_over_is_not_cancelled(void **state)
{
    struct seen seen = {0};
    const struct loyal_request none = {0};
    (void)state;
    start(fake_welcome, pong);
    struct loyal_client *client = connected();
    assert_false(loyal_cancel(client, LOYAL_FULL));
    assert_false(loyal_cancel(client, 12345));
    loyal_ticket refused = loyal_submit(client, &none, note, &seen);
    assert_true(refused != LOYAL_FULL);
    assert_false(loyal_cancel(client, refused)); /* its refusal is due */
    assert_int_equal(turn(client, 0), 1);
    assert_int_equal(seen.kind, LOYAL_REFUSED);
    loyal_ticket answered = loyal_submit(client, &PING, note, &seen);
    poll_until(client, &seen, 2);
    assert_int_equal(seen.kind, LOYAL_OK);
    assert_false(loyal_cancel(client, answered));
    stop(&client);
    assert_int_equal(seen.count, 2);
}

/* ---- back-pressure ---- */

static void room_comes_back_with_answers(void **state)
{
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, pong);
    struct loyal_options options = options_make();
    options.in_flight_max = 20;
    struct loyal_client *client = client_make(&options);
    for (unsigned round = 1; round <= 5; round++) {
        for (unsigned left = 20; left > 0; left--) {
            assert_int_equal(loyal_room(client), left);
            assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
        }
        assert_int_equal(loyal_room(client), 0);
        assert_true(loyal_submit(client, &PING, note, &seen) == LOYAL_FULL);
        poll_until(client, &seen, 20 * round);
    }
    assert_int_equal(seen.ok, 100);
    assert_int_equal(loyal_room(client), 20);
    stop(&client);
}

static void bytes_are_bounded(void **state)
{
    struct seen seen = {0};
    char long_text[20000];
    struct loyal_request find = {.verb = LOYAL_FIND_MEMBER,
                                 .member.identifier = {LOYAL_CARD, long_text}};
    (void)state;
    memset(long_text, '1', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    start(fake_welcome, silent);
    struct loyal_options options = options_make();
    options.in_flight_max = 1000;
    options.in_flight_bytes_max = 100000;
    struct loyal_client *client = client_make(&options);
    unsigned taken = 0;
    while (loyal_submit(client, &find, note, &seen) != LOYAL_FULL)
        taken++;
    assert_int_equal(taken, 5); /* the one that reaches the bound is taken still */
    assert_int_equal(loyal_room(client), 0);
    assert_in_range(loyal_unsent(client), 100000, 100200);
    stop(&client);
    assert_int_equal(seen.count, taken);
}

/* ---- callbacks that act ---- */

enum { CROWD = 20 };

struct member {
    struct crowd *crowd;
    loyal_ticket ticket;
    struct seen seen;
};

struct crowd {
    struct loyal_client *client, *other;
    struct seen more;
    struct member members[CROWD];
};

static void crowd_submit(struct crowd *crowd, loyal_callback *callback)
{
    for (int i = 0; i < CROWD; i++) {
        crowd->members[i] = (struct member){.crowd = crowd};
        crowd->members[i].ticket =
            loyal_submit(crowd->client, &REDEEM, callback, &crowd->members[i]);
        assert_true(crowd->members[i].ticket != LOYAL_FULL);
    }
}

/* Everybody was called once; returns how many of them saw OK. */
static int crowd_count(const struct crowd *crowd)
{
    int ok = 0;
    for (int i = 0; i < CROWD; i++) {
        assert_int_equal(crowd->members[i].seen.count, 1);
        ok += crowd->members[i].seen.kind == LOYAL_OK;
    }
    return ok;
}

static bool redeems(struct fake_peer *peer, const Loyal__V1__Request *request, void *context)
{
    (void)context;
    fake_send_redeemed(peer, request->id);
    return true;
}

static void note_and_cancel_all(void *context, const struct loyal_answer *answer)
{
    struct member *member = context;
    note(&member->seen, answer);
    for (int i = 0; i < CROWD; i++)
        (void)loyal_cancel(member->crowd->client, member->crowd->members[i].ticket);
}

static void a_callback_cancels_all_others(void **state)
{
    struct crowd crowd = {0};
    (void)state;
    start(fake_welcome, redeems);
    struct loyal_options options = options_make();
    options.in_flight_max = CROWD;
    crowd.client = client_make(&options);
    crowd_submit(&crowd, note_and_cancel_all);
    for (int turns = 0; turns < 2000 && loyal_in_flight(crowd.client) > 0; turns++)
        (void)turn(crowd.client, 10);
    assert_int_equal(crowd_count(&crowd), 1);
    stop(&crowd.client);
}

/* When all fail at once, each of the callbacks cancels the others and submits one more. */
static void note_cancel_and_submit(void *context, const struct loyal_answer *answer)
{
    struct member *member = context;
    note_and_cancel_all(context, answer);
    if (member == &member->crowd->members[0])
        (void)loyal_submit(member->crowd->client, &PING, note, &member->crowd->more);
}

static void callbacks_act_when_all_fail(void **state)
{
    struct crowd crowd = {0};
    (void)state;
    start(fake_welcome, redeems);
    fake_server_stop(&server);
    struct loyal_options options = options_make();
    options.no_repeat = true;
    options.in_flight_max = CROWD + 1;
    crowd.client = client_make(&options);
    crowd_submit(&crowd, note_cancel_and_submit);
    for (int turns = 0; turns < 2000 && loyal_in_flight(crowd.client) > 0; turns++)
        (void)turn(crowd.client, 10);
    assert_int_equal(crowd_count(&crowd), 0);
    assert_int_equal(crowd.more.count, 1);
    loyal_client_destroy(&crowd.client);
}

static void note_and_destroy(void *context, const struct loyal_answer *answer)
{
    struct member *member = context;
    note(&member->seen, answer);
    loyal_client_destroy(&member->crowd->client);
    loyal_client_destroy(&member->crowd->other);
}

/* The first answer, of the server's or of a failure, destroys the client. */
static void destroy_at_the_first(bool server_answers)
{
    struct crowd crowd = {0};
    start(fake_welcome, redeems);
    if (!server_answers)
        fake_server_stop(&server);
    struct loyal_options options = options_make();
    options.no_repeat = true;
    options.in_flight_max = CROWD;
    crowd.client = client_make(&options);
    crowd_submit(&crowd, note_and_destroy);
    for (int turns = 0; turns < 2000 && crowd.client != NULL; turns++)
        (void)turn(crowd.client, 10);
    assert_null(crowd.client);
    assert_int_equal(crowd_count(&crowd), server_answers ? 1 : 0);
    if (server_answers)
        fake_server_stop(&server);
}

static void a_callback_destroys_its_client(void **state)
{
    (void)state;
    destroy_at_the_first(true);
    destroy_at_the_first(false);
}

/* Of clients polled together one callback destroys both; the server serves the first alone. */
static void a_callback_destroys_another_client(void **state)
{
    struct crowd crowd = {0};
    struct seen seen = {0};
    (void)state;
    start(fake_welcome, redeems);
    struct loyal_options options = options_make();
    options.in_flight_max = CROWD;
    crowd.client = client_make(&options);
    crowd.other = client_make(&options);
    crowd_submit(&crowd, note_and_destroy);
    assert_true(loyal_submit(crowd.other, &PING, note, &seen) != LOYAL_FULL);
    for (int turns = 0; turns < 2000 && crowd.client != NULL; turns++) {
        struct loyal_client *both[] = {crowd.client, crowd.other};
        (void)loyal_poll_many(both, 2, 10);
    }
    assert_null(crowd.client);
    assert_null(crowd.other);
    (void)crowd_count(&crowd);
    assert_int_equal(seen.count, 1);
    fake_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_there_is_a_connection),
        cmocka_unit_test(while_it_waits_for_room),
        cmocka_unit_test(after_it_was_sent),
        cmocka_unit_test(while_it_waits_for_its_repetition),
        cmocka_unit_test(what_is_over_is_not_cancelled),
        cmocka_unit_test(room_comes_back_with_answers),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(a_callback_cancels_all_others),
        cmocka_unit_test(callbacks_act_when_all_fail),
        cmocka_unit_test(a_callback_destroys_its_client),
        cmocka_unit_test(a_callback_destroys_another_client),
    };
    int failed = cmocka_run_group_tests(tests, certificates_make, certificates_remove);
    is_driven = true;
    return failed + cmocka_run_group_tests(tests, certificates_make, certificates_remove);
}
