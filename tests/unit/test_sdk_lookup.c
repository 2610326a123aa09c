/* The look-up of a host name never holds up the loop: this program's getaddrinfo waits at a gate
 * that the test opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>
#include <time.h>

#include "unit/sdk_fixture.h"

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    bool open;
    int result;  /* of what passes; 0: the address of the server */
    int looking; /* look-ups at the gate */
    int looked;  /* that came there */
} gate = {.mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

typedef int looker(const char *, const char *, const struct addrinfo *, struct addrinfo **);

/* Under the mutex, until something moves; false: 20 seconds are over. */
static bool gate_watch(const struct timespec *until)
{
    return pthread_cond_timedwait(&gate.moved, &gate.mutex, until) == 0;
}

static struct timespec patience(void)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    return until;
}

static int gate_pass(void)
{
    const struct timespec until = patience();
    pthread_mutex_lock(&gate.mutex);
    gate.looking++;
    gate.looked++;
    pthread_cond_broadcast(&gate.moved);
    while (!gate.open && gate_watch(&until))
        continue;
    int result = gate.result;
    gate.looking--;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.mutex);
    return result;
}

/* In the library's place; addresses go through as they are. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **addresses_out)
{
    looker *real = (looker *)dlsym(RTLD_NEXT, "getaddrinfo");
    if ((hints->ai_flags & AI_NUMERICHOST) != 0)
        return real(host, port, hints, addresses_out);
    int result = gate_pass();
    return result != 0 ? result : real("127.0.0.1", port, hints, addresses_out);
}

static void gate_set(bool open, int result)
{
    pthread_mutex_lock(&gate.mutex);
    gate.open = open;
    gate.result = result;
    pthread_cond_broadcast(&gate.moved);
    pthread_mutex_unlock(&gate.mutex);
}

/* Until somebody stands at the gate, or nobody. */
static void gate_wait(bool for_somebody)
{
    const struct timespec until = patience();
    pthread_mutex_lock(&gate.mutex);
    while ((gate.looking > 0) != for_somebody && gate_watch(&until))
        continue;
    bool is_so = (gate.looking > 0) == for_somebody;
    pthread_mutex_unlock(&gate.mutex);
    assert_true(is_so);
}

static struct loyal_client *named_client(uint32_t connect_timeout_ms)
{
    struct loyal_options options = options_make();
    options.host = "till.example";
    options.server_name = "localhost";
    options.no_repeat = true;
    options.connect_timeout_ms = connect_timeout_ms;
    return client_make(&options);
}

static void a_drive_does_not_wait_for_a_name(void **state)
{
    struct seen seen = {0};
    (void)state;
    gate_set(false, 0);
    start(fake_welcome, pong);
    struct loyal_client *client = named_client(DEADLINE_MS);
    struct pollfd fd = {.fd = loyal_client_fd(client), .events = POLLIN};
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    assert_int_equal(loyal_client_drive(client), 0); /* and it has returned */
    gate_wait(true);
    for (int i = 0; i < 10; i++)
        assert_int_equal(loyal_client_drive(client), 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    assert_true(loyal_client_timeout_ms(client) > 0);
    gate_set(true, 0);
    assert_int_equal(poll(&fd, 1, 30000), 1);
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_OK);
    stop(&client);
}

static void a_name_has_its_time(void **state)
{
    struct seen seen = {0};
    (void)state;
    gate_set(false, 0);
    struct loyal_client *client = named_client(100);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_RETRY);
    assert_int_equal(seen.code, LOYAL_CODE_CONNECTION);
    loyal_client_destroy(&client);
    gate_set(true, 0);
    gate_wait(false);
}

static void a_blocking_call_keeps_its_deadline(void **state)
{
    const struct loyal_answer *answer = NULL;
    (void)state;
    gate_set(false, 0);
    struct loyal_options options = options_make();
    options.host = "till.example";
    options.deadline_ms = 200;
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_call(client, &PING, &answer), LOYAL_RETRY);
    assert_int_equal(answer->code, LOYAL_CODE_TIMEOUT);
    loyal_client_destroy(&client);
    gate_set(true, 0);
    gate_wait(false);
}

static void a_client_goes_before_its_look_up(void **state)
{
    struct seen seen = {0};
    (void)state;
    gate_set(false, 0);
    struct loyal_client *client = named_client(DEADLINE_MS);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    (void)loyal_client_drive(client);
    gate_wait(true);
    loyal_client_destroy(&client);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.kind, LOYAL_RETRY);
    gate_set(true, 0);
    gate_wait(false);
}

static void a_name_that_is_not_found(void **state)
{
    struct seen seen = {0};
    (void)state;
    gate_set(true, EAI_AGAIN);
    struct loyal_client *client = named_client(DEADLINE_MS);
    assert_true(loyal_submit(client, &PING, note, &seen) != LOYAL_FULL);
    poll_until(client, &seen, 1);
    assert_int_equal(seen.kind, LOYAL_RETRY);
    assert_int_equal(seen.code, LOYAL_CODE_CONNECTION);
    loyal_client_destroy(&client);
}

static void an_address_is_not_looked_up(void **state)
{
    (void)state;
    gate_set(false, 0);
    int before = gate.looked;
    start(fake_welcome, pong);
    const struct loyal_options options = options_make();
    struct loyal_client *client = client_make(&options);
    assert_int_equal(loyal_call(client, &PING, NULL), LOYAL_OK);
    assert_int_equal(gate.looked, before);
    stop(&client);
}

static int driven(void **state)
{
    is_driven = true;
    return certificates_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drive_does_not_wait_for_a_name),
        cmocka_unit_test(a_name_has_its_time),
        cmocka_unit_test(a_blocking_call_keeps_its_deadline),
        cmocka_unit_test(a_client_goes_before_its_look_up),
        cmocka_unit_test(a_name_that_is_not_found),
        cmocka_unit_test(an_address_is_not_looked_up),
    };
    return cmocka_run_group_tests(tests, driven, certificates_remove);
}
