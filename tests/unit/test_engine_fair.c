/* Who waits in a fair queue, in which turn, and who goes when there are too many; and how large a
 * lane's batches become. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "engine/fair.h"
#include "engine/pace.h"

#define ITEMS  4000
#define NO_MAX 1000000

struct world {
    struct fair_queue queue;
    struct fair_item items[ITEMS];
    int used;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    if (!world)
        return 1;
    fair_init(&world->queue);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    while (fair_pop(&world->queue))
        ;
    fair_free(&world->queue);
    free(world);
    return 0;
}

static struct fair_item *made(struct world *world, int merchant, int terminal)
{
    assert_true(world->used < ITEMS);
    struct fair_item *item = &world->items[world->used++];
    item->party = (struct fair_party){merchant, terminal};
    return item;
}

/* Pushes one; NULL or who had to go. */
static struct fair_item *push(struct world *world, int merchant, int terminal, int count_max)
{
    return fair_push(&world->queue, made(world, merchant, terminal), count_max);
}

static void fill(struct world *world, int merchant, int terminal, int count)
{
    for (int i = 0; i < count; i++)
        assert_null(push(world, merchant, terminal, NO_MAX));
}

static void pops(struct world *world, int merchant, int terminal)
{
    const struct fair_item *item = fair_pop(&world->queue);
    assert_non_null(item);
    assert_int_equal(item->party.merchant_id, merchant);
    assert_int_equal(item->party.terminal_id, terminal);
}

static void test_merchants_take_turns(void **state)
{
    struct world *world = *state;
    fill(world, 1, 10, 100);
    fill(world, 2, 20, 2);
    fill(world, 3, 30, 1);
    pops(world, 1, 10);
    pops(world, 2, 20);
    pops(world, 3, 30);
    pops(world, 1, 10);
    pops(world, 2, 20);
    pops(world, 1, 10);
    pops(world, 1, 10);
}

static void test_terminals_take_turns_within_their_merchant(void **state)
{
    struct world *world = *state;
    fill(world, 1, 10, 50);
    fill(world, 1, 11, 1);
    fill(world, 2, 20, 3);
    pops(world, 1, 10);
    pops(world, 2, 20);
    pops(world, 1, 11);
    pops(world, 2, 20);
    pops(world, 1, 10);
}

/* A merchant with many terminals has no more turns than one with a single terminal. */
static void test_more_terminals_are_no_larger_share(void **state)
{
    struct world *world = *state;
    int of_many = 0;
    for (int terminal = 0; terminal < 20; terminal++)
        fill(world, 1, 100 + terminal, 5);
    fill(world, 2, 20, 100);
    for (int i = 0; i < 60; i++)
        of_many += fair_pop(&world->queue)->party.merchant_id == 1;
    assert_int_equal(of_many, 30);
}

static void test_each_terminal_keeps_its_order(void **state)
{
    struct world *world = *state;
    const struct fair_item *last[3] = {NULL};
    const struct fair_item *item;
    for (int i = 0; i < 300; i++)
        assert_null(push(world, 1 + i % 2, i % 3, NO_MAX));
    while ((item = fair_pop(&world->queue))) {
        int key = item->party.terminal_id;
        if (item->party.merchant_id == 1) {
            assert_true(!last[key] || last[key] < item);
            last[key] = item;
        }
    }
    assert_int_equal(world->queue.count, 0);
}

static void test_who_has_his_share_is_refused(void **state)
{
    struct world *world = *state;
    fill(world, 1, 10, 8);
    fill(world, 2, 20, 2);
    const struct fair_item *own = made(world, 1, 10);
    assert_ptr_equal(fair_push(&world->queue, (struct fair_item *)own, 10), own);
    assert_true(fair_is_refused(&world->queue, (struct fair_party){1, 10}, 10));
    assert_false(fair_is_refused(&world->queue, (struct fair_party){2, 20}, 10));
    assert_null(push(world, 2, 20, 10));
    assert_null(push(world, 3, 30, 10));
    assert_int_equal(world->queue.count, 12);
}

/* His other terminals are as good as anybody. */
static void test_within_a_merchant_his_busiest_terminal_is_refused(void **state)
{
    struct world *world = *state;
    fill(world, 1, 10, 8);
    fill(world, 1, 11, 1);
    fill(world, 2, 20, 1);
    assert_true(fair_is_refused(&world->queue, (struct fair_party){1, 10}, 10));
    assert_false(fair_is_refused(&world->queue, (struct fair_party){1, 11}, 10));
    assert_null(push(world, 1, 11, 10));
}

/* From twice the bound on the newest goes of whoever has the most. */
static void test_at_last_the_newest_of_the_most_goes(void **state)
{
    struct world *world = *state;
    fill(world, 1, 10, 10);
    fill(world, 1, 11, 2);
    for (int merchant = 2; merchant < 10; merchant++)
        fill(world, merchant, 1, 1);
    assert_int_equal(world->queue.count, 20);
    const struct fair_item *gone = push(world, 30, 1, 10);
    assert_ptr_equal(gone, &world->items[9]);
    assert_int_equal(world->queue.count, 20);
}

/* Whoever has less than his share never goes, in whatever order all come, stop and are served. */
static void test_nobody_below_his_share_is_refused(void **state)
{
    struct world *world = *state;
    int counts[5] = {0}, max = 60;
    unsigned random = 1;
    for (int i = 0; i < ITEMS; i++) {
        random = random * 1103515245 + 12345;
        unsigned roll = random >> 16;
        if (roll % 7 == 0) {
            const struct fair_item *served = fair_pop(&world->queue);
            if (served)
                counts[served->party.merchant_id]--;
            continue;
        }
        int merchant = roll % 3 ? i / 1000 : (int)(roll / 7 % 5);
        const struct fair_item *gone = push(world, merchant, 1, max);
        counts[merchant]++;
        if (!gone)
            continue;
        int loser = gone->party.merchant_id, all = 0, active = 0;
        counts[loser]--;
        for (int other = 0; other < 5; other++) {
            all += counts[other];
            active += counts[other] > 0;
        }
        assert_true(counts[loser] * active >= all);
    }
    assert_true(world->queue.count <= 2 * max);
}

static void test_without_room_the_newcomer_goes(void **state)
{
    struct world *world = *state;
    const struct fair_item *item = made(world, 1, 10);
    assert_ptr_equal(fair_push(&world->queue, (struct fair_item *)item, 0), item);
    assert_int_equal(world->queue.count, 0);
}

static void test_how_many_are_before_him(void **state)
{
    struct world *world = *state;
    fill(world, 1, 10, 100);
    assert_int_equal(fair_ahead(&world->queue, (struct fair_party){1, 10}), 100);
    assert_int_equal(fair_ahead(&world->queue, (struct fair_party){2, 20}), 1);
    fill(world, 2, 20, 3);
    assert_int_equal(fair_ahead(&world->queue, (struct fair_party){2, 20}), 8);
}

static void remove_odd(struct fair_item *item, void *ctx)
{
    struct world *world = ctx;
    if ((item - world->items) % 2)
        fair_remove(&world->queue, item);
}

static void test_each_may_be_removed(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 100; i++)
        assert_null(push(world, i / 2 % 3, i % 2, NO_MAX));
    fair_each(&world->queue, remove_odd, world);
    assert_int_equal(world->queue.count, 50);
    const struct fair_item *item;
    while ((item = fair_pop(&world->queue)))
        assert_int_equal((item - world->items) % 2, 0);
}

/* ---- pace ---- */

static void test_batches_shrink_to_their_time_and_grow_again(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 400);
    assert_int_equal(pace.batch_now, 400);
    for (int i = 0; i < 50; i++)
        pace_note(&pace, pace.batch_now, pace.batch_now * INT64_C(200)); /* 0.2 ms each */
    int64_t took_us = pace.batch_now * INT64_C(200);
    assert_in_range(took_us, PACE_BATCH_US / 2, PACE_BATCH_US * 5 / 4);
    for (int i = 0; i < 50; i++)
        pace_note(&pace, pace.batch_now, pace.batch_now * INT64_C(2));
    assert_int_equal(pace.batch_now, 400);
}

static void test_small_batches_say_nothing(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 400);
    pace_note(&pace, 1, 5000000);
    assert_int_equal(pace.batch_now, 400);
    assert_int_equal(pace.each_ns, 0);
}

static void test_as_many_wait_as_can_be_done_in_time(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 100);
    pace_note(&pace, 100, 10000); /* 0.1 ms each */
    assert_int_equal(pace_count_in(&pace, 500000), 5000);
    assert_int_equal(pace_us_of(&pace, 5000), 500000);
    assert_int_equal(pace_count_in(&pace, 1), 2 * pace.batch_now);
    pace_note(&pace, 100, 2000000); /* one that waited for a lock */
    assert_true(pace.each_ns <= 200000);
}

static void test_a_new_bound_holds_at_once(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace, 400);
    pace_limit(&pace, 10);
    assert_int_equal(pace.batch_now, 10);
    pace_note(&pace, 10, 10000000);
    assert_int_equal(pace.batch_now, 10);
}

/* 24 merchants; a batch of n takes fixed_us + 0.1 ms each, and such ones have gone for long. */
static struct pace pace_of_many(int64_t fixed_us)
{
    struct pace pace;
    pace_init(&pace, 400);
    pace_begin(&pace, 24);
    for (int i = 0; i < 100; i++)
        pace_note(&pace, pace.batch_now, fixed_us + pace.batch_now * INT64_C(100));
    for (int i = 0; i < 100; i++)
        pace_note_short(&pace, pace.batch_short, fixed_us + pace.batch_short * INT64_C(100));
    return pace;
}

static void test_where_few_have_more_a_batch_is_short(void **state)
{
    (void)state;
    struct pace pace = pace_of_many(1000);
    int count = pace.batch_short;
    assert_in_range(count, 20, 50); /* 5 ms are 40 */
    assert_false(pace_is_enough(&pace, count - 1, 1));
    assert_true(pace_is_enough(&pace, count, 1));
    assert_true(pace_is_enough(&pace, count, 3));
    assert_false(pace_is_enough(&pace, count, 4));
    assert_false(pace_is_enough(&pace, pace.batch_now - 1, 4));
    assert_true(pace_is_enough(&pace, pace.batch_now, 24));
}

static void test_where_the_database_is_far_no_batch_is_short(void **state)
{
    (void)state;
    for (int64_t fixed_us = 1000; fixed_us <= 100000; fixed_us += fixed_us / 4) {
        struct pace pace = pace_of_many(fixed_us);
        int64_t full_ns = (fixed_us * 1000 + pace.batch_now * INT64_C(100000)) / pace.batch_now;
        int count = pace.batch_short < pace.batch_now ? pace.batch_short : pace.batch_now;
        assert_true((fixed_us * 1000 + count * INT64_C(100000)) / count <= 2 * full_ns);
    }
}

static void test_one_alone_has_full_batches_once_the_others_are_forgotten(void **state)
{
    (void)state;
    struct pace pace = pace_of_many(1000);
    int count = pace.batch_short;
    pace_begin(&pace, 1);
    assert_true(pace_is_enough(&pace, count, 1));
    for (int i = 0; i < 60; i++)
        pace_begin(&pace, 1);
    assert_false(pace_is_enough(&pace, count, 1));
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(test_merchants_take_turns),
        WITH_WORLD(test_terminals_take_turns_within_their_merchant),
        WITH_WORLD(test_more_terminals_are_no_larger_share),
        WITH_WORLD(test_each_terminal_keeps_its_order),
        WITH_WORLD(test_who_has_his_share_is_refused),
        WITH_WORLD(test_within_a_merchant_his_busiest_terminal_is_refused),
        WITH_WORLD(test_at_last_the_newest_of_the_most_goes),
        WITH_WORLD(test_nobody_below_his_share_is_refused),
        WITH_WORLD(test_without_room_the_newcomer_goes),
        WITH_WORLD(test_how_many_are_before_him),
        WITH_WORLD(test_each_may_be_removed),
        cmocka_unit_test(test_batches_shrink_to_their_time_and_grow_again),
        cmocka_unit_test(test_small_batches_say_nothing),
        cmocka_unit_test(test_as_many_wait_as_can_be_done_in_time),
        cmocka_unit_test(test_a_new_bound_holds_at_once),
        cmocka_unit_test(test_where_few_have_more_a_batch_is_short),
        cmocka_unit_test(test_where_the_database_is_far_no_batch_is_short),
        cmocka_unit_test(test_one_alone_has_full_batches_once_the_others_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
