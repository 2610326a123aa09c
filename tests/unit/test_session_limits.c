/* What sessions remember and count: presence (R38), look-ups (R41), UUIDs as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/uuid.h"
#include "session/presence.h"
#include "session/quota.h"

#define MINUTE_US INT64_C(60000000)

static void r38_presence_lasts_ten_minutes(void **state)
{
    (void)state;
    struct presences *presences = NULL;
    int64_t now_us = 1000 * MINUTE_US;
    assert_false(presence_has(presences, 0, now_us));
    presence_note(&presences, 7, now_us);
    assert_true(presence_has(presences, 7, now_us));
    assert_false(presence_has(presences, 8, now_us));
    assert_true(presence_has(presences, 7, now_us + 10 * MINUTE_US));
    assert_false(presence_has(presences, 7, now_us + 10 * MINUTE_US + 1));
    presence_note(&presences, 7, now_us + 5 * MINUTE_US);
    assert_true(presence_has(presences, 7, now_us + 15 * MINUTE_US));
    free(presences);
}

static void the_oldest_makes_room(void **state)
{
    (void)state;
    struct presences *presences = NULL;
    int64_t now_us = 1000 * MINUTE_US;
    for (int64_t member = 0; member < PRESENCE_AT_ONCE; member++)
        presence_note(&presences, member, now_us + member);
    presence_note(&presences, 0, now_us + PRESENCE_AT_ONCE); /* again: he takes no second place */
    presence_note(&presences, 100, now_us + PRESENCE_AT_ONCE + 1);
    assert_false(presence_has(presences, 1, now_us + MINUTE_US));
    for (int64_t member = 0; member < PRESENCE_AT_ONCE; member++)
        assert_int_equal(presence_has(presences, member, now_us + MINUTE_US), member != 1);
    assert_true(presence_has(presences, 100, now_us + MINUTE_US));
    free(presences);
}

static int take(struct quota *quota, int32_t terminal, int wanted, int64_t now_us)
{
    int taken = 0;
    while (taken < wanted && quota_take(quota, terminal, QUOTA_LOOKUPS, now_us))
        taken++;
    return taken;
}

static void r41_look_ups_are_limited_per_terminal(void **state)
{
    (void)state;
    struct quota *quota = quota_create(60);
    int64_t now_us = 5;
    assert_int_equal(take(quota, 1, 100, now_us), 60);
    assert_int_equal(take(quota, 1, 100, now_us), 0);
    assert_int_equal(take(quota, 2, 10, now_us), 10);       /* another one has his own */
    assert_true(quota_has(quota, 1, QUOTA_MISSES, now_us)); /* and misses are counted apart */
    assert_true(quota_take(quota, 1, QUOTA_MISSES, now_us));
    assert_int_equal(take(quota, 1, 100, now_us + MINUTE_US / 60), 1);
    assert_int_equal(take(quota, 1, 100, now_us + 10 * MINUTE_US / 60), 9);
    assert_int_equal(take(quota, 1, 100, now_us + 100 * MINUTE_US), 60);
    quota_destroy(&quota);
    assert_null(quota);
    quota_destroy(&quota);
}

static void uuids_are_read_as_text(void **state)
{
    (void)state;
    struct uuid uuid = uuid_make(INT64_C(1700000000000000)), read = {{0}};
    char text[UUID_TEXT_BYTES];
    uuid_text(&uuid, text);
    assert_true(uuid_parse(text, &read));
    assert_true(uuid_equal(&uuid, &read));
    assert_true(uuid_parse("00112233445566778899aabbccddeeff", &read));
    assert_int_equal(read.bytes[0], 0);
    assert_int_equal(read.bytes[15], 0xff);
    assert_false(uuid_parse("", &read));
    assert_false(uuid_parse("00112233445566778899aabbccddeef", &read));
    assert_false(uuid_parse("00112233445566778899aabbccddeeff0", &read));
    assert_false(uuid_parse("g0112233445566778899aabbccddeeff", &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(r38_presence_lasts_ten_minutes),
        cmocka_unit_test(the_oldest_makes_room),
        cmocka_unit_test(r41_look_ups_are_limited_per_terminal),
        cmocka_unit_test(uuids_are_read_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
