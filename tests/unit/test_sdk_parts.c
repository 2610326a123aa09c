/* The SDK's parts that need no socket: back-off, keys, the pending table, arena and buffer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "buffer.h"
#include "loyal/loyal.h"
#include "pending.h"
#include "retry.h"

static void backoff_stays_inside_its_bounds(void **state)
{
    struct jitter jitter = sdk_jitter_seed();
    (void)state;
    assert_int_equal(sdk_retry_delay_us(&jitter, 0, 0), 0);
    for (uint32_t failures = 1; failures < 70; failures++) {
        int64_t ceiling = failures > 6 ? RETRY_MAX_US : RETRY_BASE_US << (failures - 1);
        if (ceiling > RETRY_MAX_US)
            ceiling = RETRY_MAX_US;
        for (int i = 0; i < 200; i++) {
            int64_t delay = sdk_retry_delay_us(&jitter, failures, 0);
            assert_in_range(delay, ceiling / 2, ceiling);
        }
    }
    assert_in_range(sdk_retry_delay_us(&jitter, UINT32_MAX, 0), RETRY_MAX_US / 2, RETRY_MAX_US);
}

static void backoff_respects_the_server(void **state)
{
    struct jitter jitter = {1};
    (void)state;
    for (int i = 0; i < 200; i++) {
        assert_in_range(sdk_retry_delay_us(&jitter, 1, 3000), 3000000, 3750000);
        assert_in_range(sdk_retry_delay_us(&jitter, 1, 60000), 60000000, 75000000);
        assert_true(sdk_retry_delay_us(&jitter, 9, 1) >= RETRY_MAX_US / 2);
    }
}

static void backoff_differs_between_clients(void **state)
{
    struct jitter one = sdk_jitter_seed(), two = sdk_jitter_seed();
    int same = 0;
    (void)state;
    for (int i = 0; i < 100; i++)
        same += sdk_retry_delay_us(&one, 5, 0) == sdk_retry_delay_us(&two, 5, 0);
    assert_true(same < 5);
}

static void keys_are_uuids_of_their_time(void **state)
{
    uint8_t one[LOYAL_KEY_BYTES], two[LOYAL_KEY_BYTES];
    const uint8_t time[6] = {0x01, 0x8f, 0x00, 0x00, 0x00, 0x01};
    (void)state;
    loyal_key_make(INT64_C(0x018f00000001) * 1000 + 999, one);
    loyal_key_make(INT64_C(0x018f00000001) * 1000, two);
    assert_memory_equal(one, time, sizeof time);
    assert_memory_equal(two, time, sizeof time);
    assert_int_equal(one[6] >> 4, 7);
    assert_int_equal(one[8] >> 6, 2);
    assert_memory_not_equal(one, two, sizeof one);
}

static struct pending *pending_make(struct pending_table *table, int64_t deadline_us)
{
    struct pending *pending = sdk_pending_take(table);
    assert_non_null(pending);
    pending->deadline_us = deadline_us;
    pending->message.size = 10;
    sdk_pending_start(table, pending, PENDING_READY);
    return pending;
}

static void pending_drop(struct pending_table *table, struct pending *pending)
{
    if (pending->state != PENDING_OVER)
        sdk_pending_finish(table, pending, LOYAL_CODE_TIMEOUT);
    sdk_pending_release(table, pending);
}

static void pending_is_found_by_its_last_id_only(void **state)
{
    struct pending_table table;
    (void)state;
    sdk_pending_init(&table);
    struct pending *pending = pending_make(&table, 1000);
    assert_int_equal(table.queued_bytes, 10);
    uint64_t first = sdk_pending_number(&table, pending);
    assert_null(sdk_pending_find(&table, first)); /* not sent yet */
    sdk_pending_move(&table, pending, PENDING_SENT, false);
    assert_int_equal(table.queued_bytes, 0);
    assert_ptr_equal(sdk_pending_find(&table, first), pending);
    assert_null(sdk_pending_find(&table, 0));
    assert_null(sdk_pending_find(&table, first ^ 1));
    assert_null(sdk_pending_find(&table, UINT64_MAX));
    sdk_pending_move(&table, pending, PENDING_READY, true);
    uint64_t second = sdk_pending_number(&table, pending);
    sdk_pending_move(&table, pending, PENDING_SENT, false);
    assert_true(second != first);
    assert_null(sdk_pending_find(&table, first));
    assert_ptr_equal(sdk_pending_find(&table, second), pending);
    sdk_pending_release(&table, pending);
    assert_null(sdk_pending_find(&table, second));
    assert_true(sdk_pending_was_numbered(&table, first, 0));
    assert_false(sdk_pending_was_numbered(&table, first, 1));
    assert_true(sdk_pending_was_numbered(&table, second, 1));
    assert_false(sdk_pending_was_numbered(&table, UINT64_MAX, 0));
    sdk_pending_free(&table);
}

static void pending_table_is_bounded_and_reuses(void **state)
{
    struct pending_table table;
    (void)state;
    sdk_pending_init(&table);
    for (unsigned i = 0; i < PENDING_MAX; i++)
        (void)pending_make(&table, 1000);
    assert_int_equal(table.in_use, PENDING_MAX);
    assert_null(sdk_pending_take(&table));
    assert_int_equal(table.held_bytes, 10 * PENDING_MAX);
    struct pending *some = table.slots[77];
    pending_drop(&table, some);
    assert_ptr_equal(sdk_pending_take(&table), some);
    for (unsigned i = 0; i < PENDING_MAX; i++)
        if (table.slots[i]->state != PENDING_FREE)
            pending_drop(&table, table.slots[i]);
    assert_int_equal(table.in_use, 0);
    assert_int_equal(table.queued_bytes, 0);
    assert_int_equal(table.held_bytes, 0);
    sdk_pending_free(&table);
}

static void a_ticket_names_one_submission(void **state)
{
    struct pending_table table;
    (void)state;
    sdk_pending_init(&table);
    struct pending *pending = pending_make(&table, 1000);
    uint64_t first = pending->ticket;
    assert_true(first != LOYAL_FULL);
    assert_ptr_equal(sdk_pending_of(&table, first), pending);
    assert_null(sdk_pending_of(&table, LOYAL_FULL));
    assert_null(sdk_pending_of(&table, first + 1));
    pending_drop(&table, pending);
    assert_null(sdk_pending_of(&table, first));
    assert_ptr_equal(pending_make(&table, 1000), pending); /* the same slot */
    assert_null(sdk_pending_of(&table, first));
    pending_drop(&table, pending);
    sdk_pending_free(&table);
}

static void pending_timers(void **state)
{
    struct pending_table table;
    (void)state;
    sdk_pending_init(&table);
    assert_true(sdk_pending_timer_us(&table) == INT64_MAX);
    assert_null(sdk_pending_due(&table, INT64_MAX - 1));
    struct pending *pending = pending_make(&table, 1000);
    assert_int_equal(sdk_pending_timer_us(&table), 1000);
    pending->due_us = 500;
    sdk_pending_move(&table, pending, PENDING_SENT, false);
    assert_int_equal(sdk_pending_timer_us(&table), 1000);
    sdk_pending_move(&table, pending, PENDING_WAITING, false);
    assert_int_equal(sdk_pending_timer_us(&table), 500);
    assert_null(sdk_pending_due(&table, 499));
    assert_ptr_equal(sdk_pending_due(&table, 500), pending);
    pending_drop(&table, pending);
    assert_true(sdk_pending_timer_us(&table) == INT64_MAX);
    sdk_pending_free(&table);
}

/* The heap against a search: times come, change and go in any order. */
static void the_earliest_timer_is_known(void **state)
{
    enum { COUNT = 300, STEPS = 20000 };
    struct pending_table table;
    struct jitter dice = {.state = 20260101};
    (void)state;
    sdk_pending_init(&table);
    for (int step = 0; step < STEPS; step++) {
        struct pending *some =
            table.slot_count > 0 ? table.slots[sdk_jitter_below(&dice, table.slot_count)] : NULL;
        int64_t later_us = 1 + (int64_t)sdk_jitter_below(&dice, 1000);
        if (some == NULL || (some->state == PENDING_FREE && table.in_use < COUNT))
            (void)pending_make(&table, later_us);
        else if (some->state == PENDING_READY)
            sdk_pending_move(&table, some, PENDING_SENT, false);
        else if (some->state == PENDING_SENT && step % 2 == 0)
            some->due_us = later_us, sdk_pending_move(&table, some, PENDING_WAITING, false);
        else if (some->state != PENDING_FREE && table.in_use > COUNT / 2)
            pending_drop(&table, some);
        else
            (void)pending_make(&table, later_us);
        int64_t first_us = INT64_MAX;
        for (uint32_t i = 0; i < table.slot_count; i++)
            if (table.slots[i]->state != PENDING_FREE && table.slots[i]->timer_us < first_us)
                first_us = table.slots[i]->timer_us;
        assert_true(sdk_pending_timer_us(&table) == first_us);
        assert_int_equal(table.timer_count, table.in_use);
    }
    for (uint32_t i = 0; i < table.slot_count; i++)
        if (table.slots[i]->state != PENDING_FREE)
            pending_drop(&table, table.slots[i]);
    sdk_pending_free(&table);
}

static void arena_has_a_ceiling(void **state)
{
    struct arena arena;
    size_t total = 0;
    (void)state;
    sdk_arena_init(&arena);
    assert_null(sdk_arena_take(&arena, SIZE_MAX));
    assert_null(sdk_arena_array(&arena, SIZE_MAX, 16));
    while (sdk_arena_take(&arena, 100000) != NULL)
        total += 100000;
    assert_in_range(total, ARENA_BYTES_MAX / 2, ARENA_BYTES_MAX);
    sdk_arena_reset(&arena);
    char *bytes = sdk_arena_array(&arena, 10, 10);
    assert_non_null(bytes);
    for (int i = 0; i < 100; i++)
        assert_int_equal(bytes[i], 0);
    assert_int_equal((uintptr_t)sdk_arena_take(&arena, 1) % sizeof(void *), 0);
    sdk_arena_free(&arena);
}

static void buffer_moves_and_has_a_ceiling(void **state)
{
    struct buffer buffer = {.max = 40000};
    (void)state;
    for (int round = 0; round < 1000; round++) {
        uint8_t *room = sdk_buffer_reserve(&buffer, 100);
        assert_non_null(room);
        memset(room, round & 0xff, 100);
        sdk_buffer_commit(&buffer, 100);
        if (round > 0) {
            assert_int_equal(sdk_buffer_head(&buffer)[0], (round - 1) & 0xff);
            sdk_buffer_take(&buffer, 100);
        }
    }
    assert_int_equal(sdk_buffer_used(&buffer), 100);
    assert_null(sdk_buffer_reserve(&buffer, 40000));
    assert_non_null(sdk_buffer_reserve(&buffer, 39900));
    sdk_buffer_free(&buffer);
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    assert_string_equal(loyal_code_name(LOYAL_CODE_OK), "OK");
    for (int code = LOYAL_CODE_OK; code <= LOYAL_CODE_ALREADY_EXISTS; code++)
        assert_string_not_equal(loyal_code_name((enum loyal_code)code), "UNRECOGNISED");
    for (int code = LOYAL_CODE_CONNECTION; code <= LOYAL_CODE_CANCELLED; code++)
        assert_string_not_equal(loyal_code_name((enum loyal_code)code), "UNRECOGNISED");
    assert_string_equal(loyal_code_name((enum loyal_code)999), "UNRECOGNISED");
    assert_string_equal(loyal_version(), LOYAL_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backoff_stays_inside_its_bounds),
        cmocka_unit_test(backoff_respects_the_server),
        cmocka_unit_test(backoff_differs_between_clients),
        cmocka_unit_test(keys_are_uuids_of_their_time),
        cmocka_unit_test(pending_is_found_by_its_last_id_only),
        cmocka_unit_test(pending_table_is_bounded_and_reuses),
        cmocka_unit_test(a_ticket_names_one_submission),
        cmocka_unit_test(pending_timers),
        cmocka_unit_test(the_earliest_timer_is_known),
        cmocka_unit_test(arena_has_a_ceiling),
        cmocka_unit_test(buffer_moves_and_has_a_ceiling),
        cmocka_unit_test(every_code_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
