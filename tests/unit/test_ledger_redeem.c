/* Redeeming and expiry: R18, R20, R21, R31, and the lots of the worked example. */
#include "ledger_fixture.h"

static void assert_leg(const struct leg *leg, enum leg_kind kind, const struct lot *lot,
                       int64_t points)
{
    assert_int_equal(leg->kind, kind);
    assert_memory_equal(leg->lot_entry.bytes, lot->entry.bytes, UUID_BYTES);
    assert_int_equal(leg->lot_number, lot->number);
    assert_int_equal(leg->issuer, lot->issuer);
    assert_int_equal(leg->points, points);
    assert_int_equal(leg->earned_at_us, lot->earned_at_us);
    assert_int_equal(leg->expires_at_us, lot->expires_at_us);
}

static void r18_the_worked_example_takes_l1_l2_l3(void **state)
{
    struct world *world = *state;
    world->now_us = utc(2026, 1, 10, 18);
    struct lot *l3 = give(world, ALBA, 200, utc(2026, 6, 30, 23));
    world->now_us = utc(2026, 1, 11, 12);
    struct lot *l1 = give(world, ALBA, 600, utc(2026, 3, 31, 23));
    l3->earned_at_us = utc(2026, 1, 12, 18);
    world->now_us = utc(2026, 1, 12, 10);
    struct lot *l2 = give(world, BORA, 300, utc(2026, 6, 30, 23));
    world->now_us = utc(2026, 2, 1, 12);
    struct ledger_request request = ask_redeem(world, CORA, 1000);
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.points, 1000);
    assert_int_equal(decision.balance, 100);
    assert_int_equal(decision.entry->leg_count, 3);
    assert_leg(&decision.entry->legs[0], LEG_REDEEMED, l1, 600);
    assert_leg(&decision.entry->legs[1], LEG_REDEEMED, l2, 300);
    assert_leg(&decision.entry->legs[2], LEG_REDEEMED, l3, 100);
    assert_int_equal(l3->points, 100);
    assert_int_equal(world->member.next_change_at_us, utc(2026, 6, 30, 23));
}

static void r18_expiry_then_earned_at_then_lot_id_and_never_last(void **state)
{
    struct world *world = *state;
    int64_t earned = world->now_us - DAY_US, soon = utc(2026, 6, 1, 0), late = utc(2026, 7, 1, 0);
    struct lot by_order[] = {
        {.expires_at_us = soon, .earned_at_us = earned + 9},
        {.expires_at_us = late, .earned_at_us = earned},
        {.expires_at_us = late, .earned_at_us = earned + 1, .number = 1},
        {.expires_at_us = late, .earned_at_us = earned + 1, .number = 2},
        {.expires_at_us = late, .earned_at_us = earned + 1, .entry.bytes[0] = 1},
        {.expires_at_us = late, .earned_at_us = earned + 1, .entry.bytes[15] = 1},
        {.expires_at_us = LEDGER_NEVER, .earned_at_us = earned - 5},
    };
    const int arrival[] = {4, 6, 0, 3, 1, 5, 2}, expected[] = {0, 1, 2, 3, 5, 4, 6};
    for (int i = 0; i < 7; i++)
        ledger_insert_lot(&world->member, &by_order[arrival[i]]);
    const struct lot *lot = world->member.lots;
    for (int i = 0; i < 7; i++, lot = lot->next)
        assert_ptr_equal(lot, &by_order[expected[i]]);
    assert_null(lot);
}

static void r31_twenty_redemptions_of_100_from_100(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 100, LEDGER_NEVER);
    int done = 0, refused = 0;
    for (int i = 0; i < 20; i++) {
        struct ledger_request request = ask_redeem(world, BORA, 100);
        struct decision decision = decide(world, &request);
        done += decision.code == RESULT_OK;
        refused += decision.code == RESULT_NOT_ENOUGH_POINTS;
        assert_int_equal(decision.balance, 0);
    }
    assert_int_equal(done, 1);
    assert_int_equal(refused, 19);
    assert_int_equal(refusal_count(&world->member), 19);
}

static void r31_all_points_can_be_redeemed_and_not_one_more(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 60, LEDGER_NEVER);
    give(world, BORA, 40, utc(2026, 6, 1, 0));
    struct ledger_request request = ask_redeem(world, CORA, 101);
    struct decision refused = expect(world, &request, RESULT_NOT_ENOUGH_POINTS);
    assert_int_equal(refused.balance, 100);
    request = ask_redeem(world, CORA, 100);
    expect(world, &request, RESULT_OK);
    assert_int_equal(world->member.next_change_at_us, LEDGER_NEVER);
}

static void a_lot_is_marked_for_the_store(void **state)
{
    struct world *world = *state;
    struct lot *used_up = give(world, ALBA, 10, utc(2026, 5, 1, 0));
    struct lot *part = give(world, ALBA, 10, utc(2026, 6, 1, 0));
    commit(world);
    struct lot *fresh = give(world, ALBA, 10, utc(2026, 4, 1, 0));
    assert_int_equal(fresh->change, CHANGE_INSERT);
    struct ledger_request request = ask_redeem(world, BORA, 25);
    expect(world, &request, RESULT_OK);
    assert_int_equal(fresh->change, CHANGE_NONE); /* made and used up before it was ever stored */
    assert_int_equal(used_up->change, CHANGE_DELETE);
    assert_int_equal(part->change, CHANGE_UPDATE);
    assert_int_equal(part->points, 5);
    struct ledger_request back = ask_reverse(world, ENTRY_REVERSE_REDEEM, &request, 0);
    expect(world, &back, RESULT_OK);
    assert_int_equal(fresh->change, CHANGE_INSERT);
    assert_int_equal(used_up->change, CHANGE_UPDATE);
}

static void lots_are_asked_for_before_anything_changes(void **state)
{
    struct world *world = *state;
    struct lot *lot = give(world, ALBA, 10, utc(2026, 5, 1, 0));
    commit(world);
    world->member.lots = NULL;
    world->member.lots_read = false;
    struct ledger_request request = ask_redeem(world, BORA, 10);
    struct decision undecided = decide(world, &request);
    assert_true(undecided.needs_lots);
    assert_int_equal(world->member.seq, world->member.seq_stored);
    struct ledger_request enough = ask_earn(world, BORA, 10);
    assert_false(decide(world, &enough).needs_lots);
    world->now_us = utc(2026, 5, 1, 0); /* now even an earn needs them */
    struct ledger_request late = ask_earn(world, BORA, 10);
    assert_true(decide(world, &late).needs_lots);
    assert_int_equal(world->member.seq, world->member.seq_stored + 1);
    ledger_insert_lot(&world->member, lot);
    world->member.lots_read = true;
    assert_int_equal(expect(world, &late, RESULT_OK).balance, 0);
}

static void r21_a_lot_is_usable_up_to_its_expiry_and_not_at_it(void **state)
{
    struct world *world = *state;
    int64_t expires_at_us = utc(2026, 2, 20, 0);
    give(world, ALBA, 10, expires_at_us);
    world->now_us = expires_at_us - 1;
    struct ledger_request request = ask_redeem(world, BORA, 4);
    assert_int_equal(expect(world, &request, RESULT_OK).balance, 6);
    assert_int_equal(ledger_available_at(&world->member, expires_at_us - 1), 6);
    assert_int_equal(ledger_available_at(&world->member, expires_at_us), 0);
    world->now_us = expires_at_us;
    request = ask_redeem(world, BORA, 1);
    struct decision refused = expect(world, &request, RESULT_NOT_ENOUGH_POINTS);
    assert_int_equal(refused.balance, 0);
}

static void r21_expiry_is_entered_before_the_operation(void **state)
{
    struct world *world = *state;
    struct lot *gone = give(world, ALBA, 10, utc(2026, 2, 20, 0));
    struct lot *gone_too = give(world, BORA, 5, utc(2026, 2, 21, 0));
    struct lot *kept = give(world, BORA, 7, utc(2026, 8, 20, 0));
    commit(world);
    world->now_us = utc(2026, 3, 1, 9);
    struct ledger_request request = ask_redeem(world, CORA, 3);
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.balance, 4);
    assert_int_equal(decision.expired, 0); /* that is another entry's */
    assert_int_equal(kept->points, 4);
    assert_int_equal(gone->change, CHANGE_DELETE);
    const struct entry *expiry = world->member.entries;
    while (expiry->kind != ENTRY_EXPIRY)
        expiry = expiry->next;
    assert_ptr_equal(expiry->next, decision.entry);
    assert_int_equal(expiry->merchant_id, LEDGER_NETWORK);
    assert_int_equal(expiry->points, 15);
    assert_int_equal(expiry->balance, 7);
    assert_int_equal(expiry->decided_at_us, world->now_us);
    assert_int_equal(expiry->facts.occurred_at_us, world->now_us);
    assert_true(uuid_is_v7(&expiry->id));
    assert_int_equal(uuid_time_us(&expiry->id), world->now_us);
    assert_int_equal(expiry->leg_count, 2);
    assert_leg(&expiry->legs[0], LEG_EXPIRED, gone, 10);
    assert_leg(&expiry->legs[1], LEG_EXPIRED, gone_too, 5);
    assert_int_equal(world->member.next_change_at_us, utc(2026, 8, 20, 0));
}

static void r21_an_earn_enters_what_expired_as_well(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 10, utc(2026, 2, 20, 0));
    world->now_us = utc(2026, 2, 20, 0);
    struct ledger_request request = ask_earn(world, BORA, 300);
    assert_int_equal(expect(world, &request, RESULT_OK).balance, 3);
}

static void r21_maintenance_asks_for_expiry_alone(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 10, utc(2026, 2, 20, 0));
    struct ledger_request request = {.kind = ENTRY_EXPIRY};
    struct decision none = expect(world, &request, RESULT_OK);
    assert_null(none.entry);
    assert_int_equal(none.balance, 10);
    world->now_us = utc(2026, 2, 20, 0);
    struct decision decision = expect(world, &request, RESULT_OK);
    assert_int_equal(decision.expired, 10);
    assert_int_equal(decision.balance, 0);
    none = expect(world, &request, RESULT_OK);
    assert_null(none.entry);
}

static void r21_two_expiries_of_one_millisecond_have_ids_of_their_own(void **state)
{
    struct world *world = *state;
    struct uuid ids[2];
    for (int i = 0; i < 2; i++) {
        give(world, ALBA, 10, world->now_us + 100);
        world->now_us += 100;
        struct ledger_request request = {.kind = ENTRY_EXPIRY};
        ids[i] = expect(world, &request, RESULT_OK).entry->id;
    }
    assert_false(uuid_equal(&ids[0], &ids[1]));
}

static void a_members_time_never_goes_back(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 10, LEDGER_NEVER);
    int64_t before_us = world->now_us;
    world->now_us -= MINUTE_US;
    struct ledger_request request = ask_redeem(world, BORA, 1);
    assert_int_equal(expect(world, &request, RESULT_OK).decided_at_us, before_us);
}

static void an_exhausted_arena_is_reported(void **state)
{
    struct world *world = *state;
    give(world, ALBA, 10, LEDGER_NEVER);
    struct arena small;
    arena_init(&small, 64);
    struct ledger_request request = ask_redeem(world, BORA, 1);
    struct decision decision;
    assert_false(ledger_decide(&world->member, &request, &world->terms, &small, &decision));
    arena_free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(r18_the_worked_example_takes_l1_l2_l3),
        in_world(r18_expiry_then_earned_at_then_lot_id_and_never_last),
        in_world(r21_a_lot_is_usable_up_to_its_expiry_and_not_at_it),
        in_world(r21_expiry_is_entered_before_the_operation),
        in_world(r21_an_earn_enters_what_expired_as_well),
        in_world(r21_maintenance_asks_for_expiry_alone),
        in_world(r21_two_expiries_of_one_millisecond_have_ids_of_their_own),
        in_world(r31_twenty_redemptions_of_100_from_100),
        in_world(r31_all_points_can_be_redeemed_and_not_one_more),
        in_world(a_lot_is_marked_for_the_store),
        in_world(lots_are_asked_for_before_anything_changes),
        in_world(a_members_time_never_goes_back),
        in_world(an_exhausted_arena_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
