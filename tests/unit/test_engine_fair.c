/* Who waits in a fair queue, in which turn, and who goes when there are too many. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "engine/fair.h"

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

static void remove_it(struct fair_item *item, void *ctx)
{
    struct world *world = ctx;
    fair_remove(&world->queue, item);
}

/* Whatever order the deadlines have, within a terminal, too; none is forgotten by an earlier look.
 */
static void test_whose_deadline_has_passed_goes(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 100; i++) {
        world->items[i].deadline_us = 1 + i * 37 % 100;
        assert_null(push(world, i / 2 % 3, i % 2, NO_MAX));
    }
    for (int now_us = 1; now_us <= 60; now_us++) {
        fair_overdue(&world->queue, now_us, remove_it, world);
        assert_int_equal(world->queue.count, 101 - now_us);
    }
    struct fair_item *item = fair_pop(&world->queue);
    item->deadline_us = 10;
    fair_return(&world->queue, item);
    fair_overdue(&world->queue, 60, remove_it, world);
    assert_int_equal(world->queue.count, 40);
    while ((item = fair_pop(&world->queue)))
        assert_true(item->deadline_us >= 60);
}

static void test_since_when_the_first_has_waited(void **state)
{
    static const struct fair_party of_first = {2, 20};
    struct world *world = *state;
    assert_int_equal(fair_since_us(&world->queue), 0);
    for (int i = 0; i < 6; i++)
        world->items[i].since_us = 30 + i;
    world->items[2].since_us = 20;
    fill(world, 1, 10, 2);
    fill(world, of_first.merchant_id, of_first.terminal_id, 2);
    fill(world, 1, 11, 2);
    assert_int_equal(fair_since_us(&world->queue), 20);
    fair_remove(&world->queue, &world->items[2]);
    assert_int_equal(fair_since_us(&world->queue), 30);
}

static void test_what_is_returned_goes_before_its_terminals_others_alone(void **state)
{
    struct world *world = *state;
    fill(world, 1, 1, 3);
    fill(world, 2, 1, 1);
    struct fair_item *item = fair_pop(&world->queue);
    assert_ptr_equal(item, &world->items[0]);
    fair_return(&world->queue, item);
    assert_int_equal(world->queue.count, 4);
    assert_ptr_equal(fair_pop(&world->queue), &world->items[3]);
    assert_ptr_equal(fair_pop(&world->queue), &world->items[0]);
    for (int i = 1; i <= 2; i++)
        assert_ptr_equal(item = fair_pop(&world->queue), &world->items[i]);
    fair_return(&world->queue, item);
    assert_ptr_equal(fair_pop(&world->queue), item);
    assert_int_equal(world->queue.merchant_count, 0);
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
        WITH_WORLD(test_whose_deadline_has_passed_goes),
        WITH_WORLD(test_since_when_the_first_has_waited),
        WITH_WORLD(test_what_is_returned_goes_before_its_terminals_others_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
