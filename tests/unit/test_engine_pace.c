/* How large a lane's batches become, and what they cost: also of lanes that are simulated, near and
 * far from their database, with one merchant who always has more beside others who ask little. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "engine/pace.h"

/* ---- what work costs ---- */

static void test_the_fixed_cost_and_each_are_learnt_apart(void **state)
{
    (void)state;
    struct cost cost = {0};
    for (int i = 0; i < 100; i++)
        cost_note(&cost, 1 + i % 20, 3000 + (1 + i % 20) * 200);
    assert_float_equal(cost.fixed_us, 3000, 1);
    assert_float_equal(cost.each_us, 200, 1);
    assert_int_equal(cost_count_in(&cost, 9100), 30);
    assert_int_equal(cost_count_in(&cost, 1000), 15); /* as long as the fixed cost */
}

static void test_nothing_is_known_of_little(void **state)
{
    (void)state;
    struct cost cost = {0};
    assert_int_equal(cost_count_in(&cost, 1000000), 0);
    for (int i = 0; i < 100; i++)
        cost_note(&cost, 10, 5000); /* one size: what of it is fixed? */
    assert_int_equal(cost_count_in(&cost, 1000000), 0);
}

static void test_one_size_says_what_is_fixed_once_each_is_known(void **state)
{
    (void)state;
    struct cost cost = {0};
    for (int i = 0; i < 100; i++)
        cost_note(&cost, 1 + i % 20, 3000 + (1 + i % 20) * 200);
    for (int i = 0; i < 5000; i++)
        cost_note(&cost, 10, 8000);
    assert_in_range((int64_t)cost.each_us, 100, 200);
    assert_float_equal(cost.fixed_us + 10 * cost.each_us, 8000, 1);
}

static void test_one_that_waited_changes_little(void **state)
{
    (void)state;
    struct cost cost = {0};
    for (int i = 0; i < 200; i++)
        cost_note(&cost, 1 + i % 20, 3000 + (1 + i % 20) * 200);
    cost_note(&cost, 20, 2000000); /* for a lock */
    assert_in_range(cost_count_in(&cost, 9100), 10, 60);
}

static void test_a_slower_database_is_noticed_within_seconds_of_work(void **state)
{
    (void)state;
    struct cost cost = {0};
    for (int i = 0; i < 1000; i++)
        cost_note(&cost, 1 + i % 20, 1000 + (1 + i % 20) * 100);
    int64_t worked_us = 0;
    for (int i = 0; worked_us < 4000000; i++) {
        int64_t took_us = 10000 + (1 + i % 20) * 1000;
        cost_note(&cost, 1 + i % 20, took_us);
        worked_us += took_us;
    }
    assert_in_range((int64_t)cost.each_us, 700, 1300);
    assert_in_range((int64_t)cost.fixed_us, 7000, 13000);
}

/* ---- pace ---- */

static void test_batches_shrink_to_their_time_and_grow_again(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 400);
    assert_int_equal(pace.batch_now, 400);
    for (int i = 0; i < 50; i++)
        pace_note(&pace, pace.batch_now, pace.batch_now * INT64_C(200), false); /* 0.2 ms each */
    int64_t took_us = pace.batch_now * INT64_C(200);
    assert_in_range(took_us, PACE_BATCH_US / 2, PACE_BATCH_US * 5 / 4);
    for (int i = 0; i < 50; i++)
        pace_note(&pace, pace.batch_now, pace.batch_now * INT64_C(2), false);
    assert_int_equal(pace.batch_now, 400);
}

static void test_small_batches_say_nothing(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 400);
    pace_note(&pace, 1, 5000000, false);
    assert_int_equal(pace.batch_now, 400);
    assert_int_equal(pace.each_ns, 0);
}

static void test_as_many_wait_as_can_be_done_in_time(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 100);
    pace_note(&pace, 100, 10000, false); /* 0.1 ms each */
    assert_int_equal(pace_count_in(&pace, 500000), 5000);
    assert_int_equal(pace_us_of(&pace, 5000), 500000);
    assert_int_equal(pace_count_in(&pace, 1), 2 * pace.batch_now);
    pace_note(&pace, 100, 2000000, false); /* one that waited for a lock */
    assert_true(pace.each_ns <= 200000);
}

static void test_a_new_bound_holds_at_once(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 400);
    pace_limit(&pace, 10);
    assert_int_equal(pace.batch_now, 10);
    pace_note(&pace, 10, 10000000, false);
    assert_int_equal(pace.batch_now, 10);
}

/* 24 merchants; a batch of n takes 1 ms + 0.1 ms each, and such ones have gone for long. The next
 * begins, one that is not longer than others. */
static struct pace pace_of_many(void)
{
    struct pace pace;
    pace_init(&pace, 400);
    for (int i = 0; i < 100; i++)
        pace_note(&pace, 1 + i % 20, 1000 + (1 + i % 20) * 100, false);
    for (int i = 0; i < 2; i++)
        pace_begin(&pace, 24, 0);
    return pace;
}

static void test_where_few_have_more_a_batch_is_short(void **state)
{
    (void)state;
    struct pace pace = pace_of_many();
    assert_int_equal(pace.batch_short, 15);
    assert_false(pace_is_enough(&pace, 14, 1, 1000));
    assert_true(pace_is_enough(&pace, 15, 1, 1000));
    assert_true(pace_is_enough(&pace, 15, 3, 1000));
    assert_false(pace_is_enough(&pace, 15, 4, 1000));
    assert_false(pace_is_enough(&pace, 399, 4, 10000));
    assert_true(pace_is_enough(&pace, 400, 24, 10000));
}

static void test_a_little_that_few_have_more_goes_along(void **state)
{
    (void)state;
    struct pace pace = pace_of_many();
    assert_false(pace_is_enough(&pace, 15, 1, 119));
    assert_true(pace_is_enough(&pace, 15, 1, 120));
}

static void test_one_alone_has_full_batches_once_the_others_are_forgotten(void **state)
{
    (void)state;
    struct pace pace = pace_of_many();
    pace_begin(&pace, 1, PACE_CROWD_US);
    assert_true(pace_is_enough(&pace, 30, 1, 1000));
    pace_begin(&pace, 1, 2 * PACE_CROWD_US);
    assert_false(pace_is_enough(&pace, 30, 1, 1000));
}

/* ---- lanes ---- */

#define NEVER_US (INT64_C(1) << 40)

struct near_and_far {
    int64_t fixed_us, each_us;
};

struct lane {
    struct pace pace;
    struct near_and_far database;
    uint64_t random;
    bool floods;
    int64_t now_us, began_us, slow_until_us, next_us; /* of the others' next request */
    int64_t done, of_others, waited_us;
    int64_t others[4096]; /* when each came that waits */
    int waiting;
};

static int64_t random_below(struct lane *lane, int64_t below)
{
    lane->random = lane->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)(lane->random >> 33) % below;
}

/* Slow for stretches, as disks are: then what waits piles up, and batches are large because they
 * are slow. */
static int64_t took_us(struct lane *lane, int count)
{
    if (lane->now_us > lane->slow_until_us && random_below(lane, 200) == 0)
        lane->slow_until_us = lane->now_us + 100000;
    int64_t us = lane->database.fixed_us + count * lane->database.each_us;
    us += random_below(lane, us / 4 + 1);
    return lane->now_us < lane->slow_until_us ? 3 * us : us;
}

static void others_come(struct lane *lane, int64_t interval_us)
{
    for (; lane->next_us <= lane->now_us; lane->next_us += 1 + random_below(lane, 2 * interval_us))
        if (lane->waiting < 4096)
            lane->others[lane->waiting++] = lane->next_us;
}

/* For so long: 23 merchants ask once in so long, and the last one, when he floods, always has 5000
 * waiting. */
static void lane_run(struct lane *lane, int64_t for_us, int64_t interval_us)
{
    int64_t end_us = lane->now_us + for_us;
    lane->done = lane->of_others = lane->waited_us = 0;
    lane->began_us = lane->now_us;
    while (lane->now_us < end_us) {
        others_come(lane, interval_us);
        int flood = lane->floods, merchants = lane->waiting < 23 ? lane->waiting : 23;
        if (merchants + flood == 0) {
            lane->now_us = lane->next_us;
            continue;
        }
        pace_begin(&lane->pace, merchants + flood, lane->now_us);
        int count = lane->waiting < lane->pace.batch_now ? lane->waiting : lane->pace.batch_now;
        int of_others = count;
        while (flood && !pace_is_enough(&lane->pace, count, 1, 5000))
            count++;
        int64_t us = took_us(lane, count);
        lane->now_us += us;
        for (int i = 0; i < of_others; i++)
            lane->waited_us += lane->now_us - lane->others[i];
        lane->waiting -= of_others;
        for (int i = 0; i < lane->waiting; i++)
            lane->others[i] = lane->others[of_others + i];
        lane->done += count;
        lane->of_others += of_others;
        pace_note(&lane->pace, count, us, flood && count < lane->pace.batch_now);
    }
}

static double rate_of(const struct lane *lane)
{
    return (double)lane->done * 1000000 / (double)(lane->now_us - lane->began_us);
}

/* Quiet for a while, so that it has learnt from what came about; then one floods. */
static void lane_flooded(struct lane *lane, struct near_and_far database, int64_t interval_us)
{
    *lane = (struct lane){.database = database, .random = 7, .now_us = 1};
    pace_init(&lane->pace, 400);
    lane_run(lane, 10000000, interval_us);
    lane->floods = true;
    lane_run(lane, 3000000, interval_us);
    lane_run(lane, 10000000, interval_us);
}

static const struct near_and_far DATABASES[] = {
    {200, 30},    {500, 100},   {1000, 200},   {3000, 100},   {10000, 100},
    {30000, 100}, {100000, 50}, {160000, 100}, {300000, 100},
};
#define DATABASE_COUNT (sizeof DATABASES / sizeof *DATABASES)

/* What full batches would do in a second. */
static double full_rate(struct near_and_far database)
{
    return 400e6 / (double)(database.fixed_us + 400 * database.each_us);
}

/* Near or far: the lane does nearly half at least of what it does in full batches for one who is
 * alone, and the others wait for little more than two short ones. */
static void test_short_batches_pay_near_and_far(void **state)
{
    (void)state;
    for (size_t i = 0; i < DATABASE_COUNT; i++) {
        struct lane alone = {.database = DATABASES[i], .random = 7, .now_us = 1, .floods = true};
        pace_init(&alone.pace, 400);
        lane_run(&alone, 30000000, NEVER_US);
        lane_run(&alone, 10000000, NEVER_US);
        assert_true(rate_of(&alone) > 0.6 * full_rate(DATABASES[i]));
        int64_t short_us = 2 * DATABASES[i].fixed_us;
        short_us = short_us > PACE_SHORT_US ? short_us : PACE_SHORT_US;
        for (int64_t interval_us = 2000; interval_us <= 200000; interval_us *= 10) {
            struct lane lane;
            lane_flooded(&lane, DATABASES[i], interval_us);
            assert_true(rate_of(&lane) > 0.45 * rate_of(&alone));
            assert_true(lane.waited_us < 3 * short_us * lane.of_others);
            double queue_us = 1e6 * pace_count_in(&lane.pace, 250000) / rate_of(&lane);
            assert_true(100000 < queue_us && queue_us < 600000 + (double)short_us);
        }
    }
}

/* Nothing was learnt in quiet: it learns from sizes that it varies. */
static void test_a_flood_from_the_first_batch_on(void **state)
{
    (void)state;
    struct lane lane = {.database = {1000, 100}, .random = 7, .now_us = 1, .floods = true};
    pace_init(&lane.pace, 400);
    lane_run(&lane, 3000000, 2000);
    lane_run(&lane, 10000000, 2000);
    assert_true(lane.waited_us < 3 * PACE_SHORT_US * lane.of_others);
}

/* What was wrong is not held to be true for ever. */
static void test_what_was_learnt_of_other_times_is_forgotten(void **state)
{
    (void)state;
    static const int64_t once_us[] = {0, 300, 2000000};
    for (size_t i = 0; i < sizeof once_us / sizeof *once_us; i++) {
        struct lane lane = {.database = {1000, 100}, .random = 7, .now_us = 1, .floods = true};
        pace_init(&lane.pace, 400);
        for (int j = 0; j < 100; j++)
            pace_note(&lane.pace, 1 + j % 400, once_us[i], false);
        lane_run(&lane, 10000000, 2000);
        lane_run(&lane, 10000000, 2000);
        assert_true(lane.waited_us < 3 * PACE_SHORT_US * lane.of_others);
    }
}

static void test_where_all_have_much_batches_follow_a_slower_database(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 400);
    for (int i = 0; i < 200; i++)
        pace_note(&pace, 1 + i * 2, 1000 + (1 + i * 2) * INT64_C(50), false);
    for (int i = 0; i < 200; i++)
        pace_note(&pace, pace.batch_now, 1000 + pace.batch_now * INT64_C(50), false);
    assert_int_equal(pace.batch_now, 400);
    for (int i = 0; i < 200; i++)
        pace_note(&pace, pace.batch_now, 5000 + pace.batch_now * INT64_C(250), false);
    assert_in_range(pace.batch_now, 90, 250); /* 50 ms are 180 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fixed_cost_and_each_are_learnt_apart),
        cmocka_unit_test(test_nothing_is_known_of_little),
        cmocka_unit_test(test_one_size_says_what_is_fixed_once_each_is_known),
        cmocka_unit_test(test_one_that_waited_changes_little),
        cmocka_unit_test(test_a_slower_database_is_noticed_within_seconds_of_work),
        cmocka_unit_test(test_batches_shrink_to_their_time_and_grow_again),
        cmocka_unit_test(test_small_batches_say_nothing),
        cmocka_unit_test(test_as_many_wait_as_can_be_done_in_time),
        cmocka_unit_test(test_a_new_bound_holds_at_once),
        cmocka_unit_test(test_where_few_have_more_a_batch_is_short),
        cmocka_unit_test(test_a_little_that_few_have_more_goes_along),
        cmocka_unit_test(test_one_alone_has_full_batches_once_the_others_are_forgotten),
        cmocka_unit_test(test_short_batches_pay_near_and_far),
        cmocka_unit_test(test_a_flood_from_the_first_batch_on),
        cmocka_unit_test(test_what_was_learnt_of_other_times_is_forgotten),
        cmocka_unit_test(test_where_all_have_much_batches_follow_a_slower_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
